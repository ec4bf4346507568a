"""The replay function: the chat so far, then everything live, as server-sent events."""

from mangum import Mangum

from resumable_chat.aws.service import service

app = service.app("replay")

handler = Mangum(app, lifespan="off")
