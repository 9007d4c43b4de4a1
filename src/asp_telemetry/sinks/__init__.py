"""The places that records go to; each is a `writer.sink.Sink`, and its failure is its own."""
