"""Reads answers of Amazon Bedrock's Converse API, whose input count leaves cached tokens out.

Wire format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from typing import Any

from asp_telemetry.capture.answers.checks import checked
from asp_telemetry.capture.answers.fields import count_of, field_of, items_of, sum_of, text_of
from asp_telemetry.usage import Usage


def read_converse(answer: Any, usage: Any) -> Usage:
    """Read an answer of `converse`, or the `metadata` event of `converse_stream`; neither names its model.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_converse({}, {"inputTokens": 9, "outputTokens": 2, "cacheReadInputTokens": 100}).input_tokens
        109
    """
    fresh, read, written = (
        count_of(usage, "inputTokens"),
        count_of(usage, "cacheReadInputTokens"),
        count_of(usage, "cacheWriteInputTokens"),
    )
    writes = items_of(usage, "cacheDetails")
    if written is None and writes:
        written = sum_of(*(count_of(each, "inputTokens") for each in writes))
    long_lived = sum_of(*(count_of(each, "inputTokens") for each in writes if text_of(each, "ttl") == "1h"))
    content = items_of(field_of(field_of(answer, "output"), "message"), "content")
    return checked(
        Usage(
            provider="aws.bedrock",
            response_id=text_of(field_of(answer, "ResponseMetadata"), "RequestId"),
            input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
            output_tokens=count_of(usage, "outputTokens"),
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=long_lived,
            service_tier=text_of(field_of(answer, "serviceTier"), "type"),
            tool_calls=sum(1 for block in content if field_of(block, "toolUse") is not None) or None,
        )
    )
