"""A renderer in DRF's form."""

import csv
from io import StringIO
from typing import Any

from rest_framework.renderers import BaseRenderer


class CSVRenderer(BaseRenderer):
    """A list of flat rows as CSV; what is no list (an error) is one row."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        """A line of names, then a line for each row."""
        rows = data if isinstance(data, list) else [data]
        table = StringIO()
        writer = csv.DictWriter(table, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return table.getvalue()
