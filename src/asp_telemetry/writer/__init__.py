"""The one background thread: it drains journals, prices, batches, retries, and knows databases only as sinks."""
