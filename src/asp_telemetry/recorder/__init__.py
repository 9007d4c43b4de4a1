"""The composition root: settings, journal, writer and sinks become one recorder, made at the first record."""
