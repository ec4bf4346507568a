"""GET /api/chat/replay: the chat so far, then everything live, as server-sent events."""

from fastapi import Request, Response
from mangum import Mangum

from resumable_chat.aws.service import buffered, service
from resumable_chat.web.requests import read_replay

app = service.app("replay", service.lifespan)


@app.get("/api/chat/replay")
async def replay(request: Request) -> Response:
    wanted = read_replay(request)
    return await service.chat.replay(
        service.stream(request, wanted.chat_id),
        from_seq_num=wanted.cursor,
        live=not buffered(request),
        deadline=service.deadline(request),
    )


handler = Mangum(app, lifespan="off")
