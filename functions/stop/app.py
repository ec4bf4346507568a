"""The stop function: it ends the running answer, from any device and any process."""

from mangum import Mangum

from resumable_chat.aws.service import service

app = service.app("stop")

handler = Mangum(app, lifespan="off")
