"""POST /api/chat: store the user's message, answer 202, run the model behind the response.

In the modes other than session, the answer's chunks are all that is stored, and they are the response.
"""

from dataclasses import replace

from fastapi import Request, Response
from mangum import Mangum

from resumable_chat.aws.service import service
from resumable_chat.web.requests import read_send
from resumable_chat.wire.messages import read_messages

app = service.app("send", service.sending)


@app.post("/api/chat")
async def send(request: Request) -> Response:
    wanted = await read_send(request)
    source = service.source  # your own model goes here: any function from messages to a stream of chunks
    if service.settings.mode != "session":
        messages = read_messages(wanted.messages)
        return await service.chat.make_resumable(
            service.stream(request, wanted.chat_id),
            lambda _, context: source(messages, replace(context, data=wanted.data)),
            delivery=service.settings.delivery,
            wait_until=service.wait_until(request),
            run_id=wanted.run_id,
            thread_id=wanted.chat_id,
            deadline=service.deadline(request, behind=True),
        )
    return await service.chat.make_session_response(
        service.stream(request, wanted.chat_id),
        messages=wanted.messages,
        source=source,
        wait_until=service.wait_until(request),
        run_id=wanted.run_id,
        seen=wanted.seen,
        data=wanted.data,
        thread_id=wanted.chat_id,
        deadline=service.deadline(request, behind=True),
    )


handler = Mangum(app, lifespan="off")
