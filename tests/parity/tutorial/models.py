from typing import Any

from django.db import models

from tests.parity.tutorial.highlight import LANGUAGES, STYLES, highlight


class Snippet(models.Model):
    """A piece of code that a user pasted."""

    created = models.DateTimeField(auto_now_add=True)
    title = models.CharField(max_length=100, blank=True, default="")
    code = models.TextField()
    linenos = models.BooleanField(default=False)
    language = models.CharField(max_length=20, choices=LANGUAGES, default="python")
    style = models.CharField(max_length=20, choices=STYLES, default="friendly")
    owner = models.ForeignKey("auth.User", related_name="snippets", on_delete=models.CASCADE)
    highlighted = models.TextField()

    class Meta:
        ordering = ["created"]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.highlighted = highlight(
            self.code, language=self.language, style=self.style, title=self.title, linenos=self.linenos
        )
        super().save(*args, **kwargs)
