-- What the review agents find, wrongly find, and let through; rates from 0 to 1.
SELECT
  review_phase, true_positives, false_positives, unvalidated, escapes, true_positive_rate, false_positive_rate,
  escape_rate
FROM review_agent_effectiveness;
