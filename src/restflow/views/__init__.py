"""Views: DRF's, in both colours, and the helper surface."""

from restflow.post_fetch import PostFetch
from restflow.views.base import APIView, AsyncAPIView
from restflow.views.helpers import OFF

__all__ = ["OFF", "APIView", "AsyncAPIView", "PostFetch"]
