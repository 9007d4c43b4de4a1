"""`/healthz`: tells programs whether the database answers."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from asp_telemetry.dashboard.asking import ask
from asp_telemetry.errors import AspTelemetryError


async def health(request: Request) -> Response:
    """Answer with 200 if the database can be asked, else with 503 and the reason.

    Args:
        request: What is being answered.
    """
    try:
        running = await ask(request).running(days=1)
    except AspTelemetryError as error:
        return JSONResponse({"status": "unavailable", "reason": str(error)}, 503)
    return JSONResponse({"status": "ok", "running_executions": len(running)})
