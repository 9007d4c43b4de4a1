"""Takes traces from programs in any language, over OTLP/HTTP; needs the extra `serve`."""
