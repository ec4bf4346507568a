"""Models of Amazon Bedrock, through boto3's ``converse_stream``."""

from .errors import BedrockError
from .source import BedrockSource

__all__ = ["BedrockError", "BedrockSource"]
