"""How a view begins a stream: its first part is made before the headers are sent, so that an error has its status.

Called at the end of both versions of ``dispatch``, where a handler has returned a stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.request import Request as DRFRequest
from rest_framework.views import APIView

from restflow.flow import hook
from restflow.streams import StreamedResponse, begin_stream


async def begun(
    view: APIView, request: DRFRequest, response: StreamedResponse, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Return a stream once it has begun, or the response to what its source raised before the first part. A flow."""
    try:
        await begin_stream(response, request)
    except Exception as error:
        refusal = await hook(view, "handle_exception", error)
    else:
        return response
    if response.has_header("Vary"):
        view.headers["Vary"] = response["Vary"]  # which the first finalize_response took out
    return await hook(view, "finalize_response", request, refusal, *args, **kwargs)
