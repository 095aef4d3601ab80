"""The bare floor: raw ASGI on uvicorn that reads a body and answers: `served_echo.py PORT`."""

import sys

import uvicorn

ANSWER = (
    b'{"model_name":"onx","outputs":[{"name":"label","datatype":"INT64","shape":[1],"data":[0]}]}'
)
HEAD = {
    "type": "http.response.start", "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))],
}  # fmt: skip
BODY = {"type": "http.response.body", "body": ANSWER}


async def app(scope, receive, send):
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send(HEAD)
        await send(BODY)


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
        access_log=False, lifespan="off", ws="none", log_level="warning",
    )  # fmt: skip
