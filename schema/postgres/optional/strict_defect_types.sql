-- Optional: closes the list of defect types. It fails, and changes nothing, while rows of other types exist:
--   SELECT defect_type, count(*) FROM defect_log GROUP BY 1;
-- 'unknown' belongs to the list: a defect that is resolved before it is logged has that type until it is.
-- What does not fit later is put into rejected_records. To open the list again:
--   ALTER TABLE defect_log ALTER COLUMN defect_type TYPE varchar(50); DROP TYPE asp_defect_type CASCADE;

BEGIN;

CREATE TYPE asp_defect_type AS ENUM (
  '1_Planning_Failure', '2_Prompt_Misinterpretation', '3_Tool_Use_Error', '4_Hallucination',
  '5_Security_Vulnerability', '6_Conventional_Code_Bug', '7_Task_Execution_Error', '8_Alignment_Deviation', 'unknown'
);
-- The writer sends text; without these it would have to know about the type.
CREATE CAST (text AS asp_defect_type) WITH INOUT AS ASSIGNMENT;
CREATE CAST (varchar AS asp_defect_type) WITH INOUT AS ASSIGNMENT;

ALTER TABLE defect_log ALTER COLUMN defect_type TYPE asp_defect_type USING defect_type::asp_defect_type;

COMMIT;
