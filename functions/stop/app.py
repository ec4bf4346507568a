"""DELETE /api/chat: end the running answer, from any device and any process."""

from fastapi import Request, Response
from mangum import Mangum

from resumable_chat.aws.service import service
from resumable_chat.web.requests import read_stop

app = service.app("stop", service.lifespan)


@app.delete("/api/chat")
async def stop(request: Request) -> Response:
    wanted = await read_stop(request)
    return await service.chat.stop_session(service.stream(request, wanted.chat_id), run_id=wanted.run_id)


handler = Mangum(app, lifespan="off")
