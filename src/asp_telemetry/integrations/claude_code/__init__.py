"""Claude Code: records what its hooks tell, and reads the transcripts that it writes."""
