"""DELETE /api/chat: end the running answer, from any device and any process."""

from fastapi import FastAPI, Request, Response
from mangum import Mangum

from resumable_chat.http import read_stop
from resumable_chat.service import service

app = FastAPI(
    title="stop",
    lifespan=service.lifespan,
    exception_handlers=service.handlers,
    middleware=service.middleware,
    openapi_url=None,
)


@app.delete("/api/chat")
async def stop(request: Request) -> Response:
    wanted = await read_stop(request)
    return await service.chat.stop_session(service.stream(request, wanted.chat_id), run_id=wanted.run_id)


handler = Mangum(app, lifespan="off")
