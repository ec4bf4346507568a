"""The send function: it stores the user's message, answers 202, and runs the model behind the response.

``CHAT_SOURCE`` names the model. In the modes other than session, the answer's chunks are all that is stored, and they
are the response.
"""

from mangum import Mangum

from resumable_chat.aws.service import service

app = service.app("send")

handler = Mangum(app, lifespan="off")
