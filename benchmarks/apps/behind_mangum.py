"""The app behind Mangum."""

from mangum import Mangum

from .streaming import app

handler = Mangum(app, lifespan="off")
