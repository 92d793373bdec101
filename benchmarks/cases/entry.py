"""``entry``: Django's ASGI handler and restflow's around the same views, with and without middleware."""

from __future__ import annotations

from benchmarks.case import Case, Variant
from benchmarks.cases import ping, policies

DEFAULT = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
VIEWS = {
    "Django async def": policies.plain,
    "restflow AsyncAPIView": type("Pong", (ping.NoPolicies, policies.AsyncGuarded), {"get": policies.pong}).as_view(),
    "restflow AsyncAPIView, sync policies": policies.AsyncGuarded.as_view(),
    "restflow AsyncAPIView, async policies": policies.AsyncGuardedAsync.as_view(),
}


def case(name: str, middleware: tuple[str, ...], goals: tuple[float, ...]) -> Case:
    """Return the views on both handlers; the floor is a plain view on Django's."""
    stock = tuple(Variant(f"Django's entry: {view}", function) for view, function in VIEWS.items())
    ours = tuple(
        Variant(f"restflow's entry: {view}", function, goal, "restflow")
        for (view, function), goal in zip(VIEWS.items(), goals, strict=True)
    )
    return Case(name, (*stock, *ours), policies.token("ada"), middleware=middleware, by_cpu=True)


CASES = (
    case("entry", (), (0.10, 0.20, 0.36, 0.25)),
    case("entry-default", DEFAULT, (0.06, 0.08, 0.13, 0.10)),
)
