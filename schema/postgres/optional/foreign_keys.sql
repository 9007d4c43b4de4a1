-- Optional: lets the database check what belongs to what. Without it `asp-telemetry doctor` reports orphans.
-- Checked at the end of each transaction, because children are written before their parents. For the first two every
-- execution has to run inside a task(): what runs outside of one names its root execution as its task, and would land in
-- rejected_records. NOT VALID leaves rows that are there already unchecked; ALTER TABLE ... VALIDATE CONSTRAINT checks
-- them. Nothing refers to execution_traces, whose old rows move to the archive, nor to hook_executions: a hook is written
-- at its end, transactions after what it has called.

BEGIN;

ALTER TABLE agent_cost_vector ADD CONSTRAINT fk_cost_task FOREIGN KEY (task_id)
  REFERENCES task_metadata (task_id) DEFERRABLE INITIALLY DEFERRED NOT VALID;
ALTER TABLE defect_log ADD CONSTRAINT fk_defect_task FOREIGN KEY (task_id)
  REFERENCES task_metadata (task_id) DEFERRABLE INITIALLY DEFERRED NOT VALID;
ALTER TABLE agent_routing_decisions ADD CONSTRAINT fk_routing_pattern FOREIGN KEY (pattern_id)
  REFERENCES success_patterns (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT VALID;
ALTER TABLE agent_transformation_events ADD CONSTRAINT fk_transformation_definition FOREIGN KEY (agent_definition_id)
  REFERENCES agent_definitions (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT VALID;
ALTER TABLE agent_transformation_events ADD CONSTRAINT fk_transformation_parent FOREIGN KEY (parent_event_id)
  REFERENCES agent_transformation_events (id) DEFERRABLE INITIALLY DEFERRED NOT VALID;
ALTER TABLE pattern_usage_log ADD CONSTRAINT fk_usage_pattern FOREIGN KEY (pattern_id)
  REFERENCES success_patterns (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID;

COMMIT;
