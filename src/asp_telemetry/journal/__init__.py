"""The queue that outlives its process: append-only segments, one lane per thread, one directory per process."""
