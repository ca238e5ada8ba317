"""What schemathesis must know to send SDP; it loads this file by its name."""

from __future__ import annotations

import schemathesis


@schemathesis.serializer("application/sdp")
def as_text(context: object, value: object) -> bytes:
    return str(value).encode(errors="surrogatepass")
