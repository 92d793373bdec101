"""The ASGI application: `uvicorn bookshop.asgi:application`."""

import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.handlers.asgi import ASGIHandler

from restflow.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshop.settings")

application: ASGIHandler = get_asgi_application()
if settings.DEBUG:
    # The browsable API's style sheets, which a web server serves in production.
    application = ASGIStaticFilesHandler(application)
