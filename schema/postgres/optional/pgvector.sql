-- Optional: finds success patterns and routing decisions by the nearness of their embeddings, through an HNSW index.
-- Needs the extension vector (pgvector 0.7 or newer). Say how wide the vectors of your model are, then run it:
--   SET asp.embedding_width = '1536';
-- The columns stay real[]: the writer, the copies to SQLite and the checksums of the migrations know nothing of a width.
-- It stands in the definition and the comment of the indexes. Vectors of another width are kept, but not indexed.
-- Run it again after a change of the model. `migrate down` takes all of it away with the tables.

CREATE EXTENSION IF NOT EXISTS vector;

DO $$
DECLARE
  width integer := nullif(current_setting('asp.embedding_width', true), '')::integer;
  -- HNSW takes vectors of up to 2000 dimensions, and twice that at half the precision
  kind text := CASE WHEN width > 2000 THEN 'halfvec' ELSE 'vector' END;
BEGIN
  IF width IS NULL OR width NOT BETWEEN 1 AND 4000 THEN
    RAISE EXCEPTION 'asp.embedding_width is %, but must be 1 to 4000', coalesce(width::text, 'not set')
      USING HINT = 'Run SET asp.embedding_width = ''1536''; in the same session first.';
  END IF;
  DROP INDEX IF EXISTS idx_pattern_embedding, idx_routing_embedding;
  EXECUTE format(
    'CREATE INDEX idx_pattern_embedding ON success_patterns USING hnsw ((prompt_embedding::%1$s(%2$s)) %1$s_cosine_ops) '
    'WHERE cardinality(prompt_embedding) = %2$s', kind, width);
  EXECUTE format(
    'CREATE INDEX idx_routing_embedding ON agent_routing_decisions '
    'USING hnsw ((request_embedding::%1$s(%2$s)) %1$s_cosine_ops) WHERE cardinality(request_embedding) = %2$s',
    kind, width);
  EXECUTE format('COMMENT ON INDEX idx_pattern_embedding IS %L', 'embedding width ' || width);
  EXECUTE format('COMMENT ON INDEX idx_routing_embedding IS %L', 'embedding width ' || width);
  -- The same question as in the base schema, asked in the words that the index understands.
  EXECUTE format($function$
    CREATE OR REPLACE FUNCTION asp_match_patterns(
      embedding real[], at_least double precision DEFAULT 0.7, at_most integer DEFAULT 10
    )
    RETURNS TABLE (
      pattern_id uuid, similarity double precision, intent text, agent text, routing_strategy text, success_rate numeric
    )
    LANGUAGE sql STABLE
    BEGIN ATOMIC
      SELECT near.id, 1 - near.distance, near.intent, near.agent, near.routing_strategy, near.success_rate
      FROM (
        SELECT pattern.id, pattern.intent, pattern.agent, pattern.routing_strategy, pattern.success_rate,
          pattern.prompt_embedding::%1$s(%2$s) <=> embedding::%1$s(%2$s) AS distance
        FROM success_patterns AS pattern
        WHERE cardinality(pattern.prompt_embedding) = %2$s
        ORDER BY pattern.prompt_embedding::%1$s(%2$s) <=> embedding::%1$s(%2$s)
        LIMIT at_most
      ) AS near
      WHERE 1 - near.distance >= at_least
      ORDER BY near.distance, near.success_rate DESC, near.id;
    END
  $function$, kind, width);
END
$$;
