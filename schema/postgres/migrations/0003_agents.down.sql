-- Takes the registry, the transformations and the router's metrics away again, with every row in them.
DROP TABLE router_performance_metrics;
DROP TABLE agent_transformation_events;
DROP TABLE agent_definitions;
