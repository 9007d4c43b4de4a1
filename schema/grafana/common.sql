-- Parts that the panels of several Grafana dashboards share. A name in braces stands for the part of that name;
-- $__timeFilter and its like, and ${project:sqlstring} and its like, are filled in by Grafana. The variables have '' as
-- their "All", so that rows without a project, user or model count, too; :sqlstring quotes every value, one or many.
-- https://grafana.com/docs/grafana/latest/datasources/postgres/query-editor/#macros

-- name: project
('' = ANY (ARRAY[${project:sqlstring}]::text[]) OR project_id = ANY ({chosen_projects}))

-- name: role
('' = ANY (ARRAY[${role:sqlstring}]::text[]) OR agent_role = ANY ({chosen_roles}))

-- name: model
('' = ANY (ARRAY[${model:sqlstring}]::text[]) OR llm_model = ANY ({chosen_models}))

-- name: user
('' = ANY (ARRAY[${user:sqlstring}]::text[]) OR user_id = ANY ({chosen_users}))

-- Grafana writes \" for a double quote, as MySQL would have it.
-- name: chosen_projects
ARRAY(SELECT replace(name, '\"', '"') FROM unnest(ARRAY[${project:sqlstring}]::text[]) AS names (name))

-- name: chosen_roles
ARRAY(SELECT replace(name, '\"', '"') FROM unnest(ARRAY[${role:sqlstring}]::text[]) AS names (name))

-- name: chosen_models
ARRAY(SELECT replace(name, '\"', '"') FROM unnest(ARRAY[${model:sqlstring}]::text[]) AS names (name))

-- name: chosen_users
ARRAY(SELECT replace(name, '\"', '"') FROM unnest(ARRAY[${user:sqlstring}]::text[]) AS names (name))

-- name: spent
$__timeFilter(timestamp) AND {project} AND {user} AND {role} AND {model}

-- name: worked
$__timeFilter(timestamp) AND {project} AND {user} AND {role}

-- name: project_of_task
('' = ANY (ARRAY[${project:sqlstring}]::text[])
    OR task_id IN (SELECT task_id FROM task_metadata WHERE project_id = ANY ({chosen_projects})))

-- name: executed
$__timeFilter(started_at) AND {user} AND {role} AND {project_of_task}

-- Of what belongs to an execution and has neither project nor user nor role itself; its table is called `inside`.
-- name: in_traces
('' = ANY (ARRAY[${project:sqlstring}]::text[]) AND '' = ANY (ARRAY[${user:sqlstring}]::text[])
      AND '' = ANY (ARRAY[${role:sqlstring}]::text[])
    OR EXISTS (SELECT 1 FROM execution_traces AS around WHERE around.correlation_id = inside.correlation_id
      AND {user} AND {role} AND {project_of_task}))

-- Which of them failed of those that have ended: in words and in numbers the same as everywhere else.
-- name: error_rate
count(*) FILTER (WHERE status IN ('error', 'timeout', 'abandoned'))::float8
    / nullif(count(*) FILTER (WHERE status <> 'in_progress'), 0)

-- The lists of the variables. An empty name cannot be told from "All".
-- name: projects
SELECT DISTINCT project_id AS project FROM task_metadata WHERE project_id <> '' ORDER BY project

-- name: users
SELECT DISTINCT user_id AS "user" FROM task_metadata WHERE user_id <> '' ORDER BY "user"

-- name: roles
SELECT DISTINCT agent_role AS role FROM agent_cost_vector
WHERE $__timeFilter(timestamp) AND metric_type = 'Latency' AND agent_role <> '' ORDER BY role

-- name: models
SELECT DISTINCT llm_model AS model FROM agent_cost_vector
WHERE $__timeFilter(timestamp) AND metric_type = 'Tokens_In' AND llm_model <> '' ORDER BY model
