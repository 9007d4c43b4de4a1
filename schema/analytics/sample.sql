-- How many records are not those of the sample; both databases understand it. `:name` marks a value.

-- name: not_of_the_sample
SELECT
  (SELECT count(*) FROM execution_traces WHERE environment IS NULL OR environment <> 'sample') AS execution_traces,
  (SELECT count(*) FROM agent_cost_vector
   WHERE task_id NOT LIKE :team
     AND (task_id <> :example OR timestamp < :begun OR timestamp > :ended)) AS agent_cost_vector,
  (SELECT count(*) FROM task_metadata
   WHERE task_id NOT LIKE :team
     AND (task_id <> :example OR created_at < :begun OR created_at > :ended)) AS task_metadata,
  (SELECT count(*) FROM defect_log
   WHERE task_id NOT LIKE :team
     AND (task_id <> :example OR created_at < :begun OR created_at > :ended)) AS defect_log;
