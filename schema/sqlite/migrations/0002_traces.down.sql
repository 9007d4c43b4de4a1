-- Takes routing decisions, hooks, endpoint calls and the archive away again, with every row in them.
DROP TABLE endpoint_calls;
DROP TABLE hook_executions;
DROP TABLE agent_routing_decisions;
DROP TABLE execution_traces_archive;
