"""The body of a request: of the right type, in time, and text."""

import asyncio

from aiohttp import web

from link.whip_door import refusal

BODY_TIMEOUT_S = 5.0


async def read_body(request: web.Request, content_type: str) -> str:
    """The text of a request. Raises 400, 408, 415; the application's own limit makes it 413."""
    if request.content_type != content_type:
        raise refusal(web.HTTPUnsupportedMediaType, f"Send {content_type}")
    try:
        body = await asyncio.wait_for(request.read(), BODY_TIMEOUT_S)
        return body.decode()
    except asyncio.TimeoutError as error:
        raise refusal(web.HTTPRequestTimeout, "The body did not arrive") from error
    except UnicodeDecodeError as error:
        raise refusal(web.HTTPBadRequest, "The body is not UTF-8 text") from error
    except ConnectionError as error:
        raise refusal(web.HTTPBadRequest, "The body is cut off") from error
    except web.RequestPayloadError as error:
        raise refusal(web.HTTPBadRequest, "The body is not encoded as it says") from error
