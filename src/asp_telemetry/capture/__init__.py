"""The hot path: what runs in the caller's thread, and imports no SQL, no driver, no pydantic and no asyncio."""
