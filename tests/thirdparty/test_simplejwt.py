"""simplejwt's authentication and token views, unmodified, with restflow's views."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import User
from django.urls import path
from rest_framework.response import Response
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, UntypedToken
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView, TokenVerifyView

from tests.colours import ASYNC, BASES
from tests.parity.harness import Answer, Ask
from tests.shop.models import Author
from tests.thirdparty.support import same

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

YEAR = timedelta(days=365)


def token(kind: Any = AccessToken, user: Any = 1, lifetime: timedelta = YEAR) -> str:
    made = kind()
    made["user_id"] = str(user)
    made.set_exp(lifetime=lifetime)
    return str(made)


def bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


def tampered(value: str) -> str:
    head, payload, signature = value.split(".")
    return f"{head}.{payload}.{signature[::-1]}"


def urls(bases: Any) -> list[Any]:
    class AuthorSerializer(bases.ModelSerializer):
        class Meta:
            model = Author
            fields = ["id", "name"]

    class Authors(bases.ListCreateAPIView):
        queryset = Author.objects.order_by("pk")
        serializer_class = AuthorSerializer
        authentication_classes = [JWTAuthentication]
        permission_classes = [bases.IsAuthenticated]

    class Me(bases.APIView):
        authentication_classes = [JWTAuthentication, bases.BasicAuthentication]
        permission_classes = [bases.IsAuthenticatedOrReadOnly]

        def get(self, request: Any) -> Response:
            return Response({"user": str(request.user), "type": request.auth and request.auth["token_type"]})

        post = get

    class Stateless(Me):
        authentication_classes = [JWTStatelessUserAuthentication]

        def get(self, request: Any) -> Response:
            return Response({"user": request.user.pk})

    class Obtain(TokenObtainPairView, bases.GenericAPIView):
        """The package's own view over other base classes."""

    class Refresh(TokenRefreshView, bases.GenericAPIView):
        """The package's own view over other base classes."""

    return [
        path("authors/", Authors.as_view()),
        path("me/", Me.as_view()),
        path("stateless/", Stateless.as_view()),
        path("token/", TokenObtainPairView.as_view()),
        path("token/refresh/", TokenRefreshView.as_view()),
        path("token/verify/", TokenVerifyView.as_view()),
        path("ours/token/", Obtain.as_view()),
        path("ours/token/refresh/", Refresh.as_view()),
    ]


def populate() -> None:
    User.objects.create_user("alice", password="secret")
    User.objects.create_user("retired", password="secret", is_active=False)


def claims(answer: Answer) -> Answer:
    """The answer with what its tokens say, but for the time and the number of each."""
    if b"eyJ" not in answer.body:
        return answer
    said = {
        name: {
            claim: value for claim, value in UntypedToken(text).payload.items() if claim not in {"exp", "iat", "jti"}
        }
        for name, text in answer.json().items()
    }
    headers = [(name, "" if name == "Content-Length" else value) for name, value in answer.headers]
    return Answer(answer.status, headers, json.dumps(said).encode())


GOOD = token()
CREDENTIALS = {"username": "alice", "password": "secret"}
REFUSED = {
    "nothing": {},
    "another scheme": {"authorization": "Token x"},
    "no token": {"authorization": "Bearer"},
    "two tokens": {"authorization": f"Bearer {GOOD} {GOOD}"},
    "not a token": bearer("x.y.z"),
    "a changed signature": bearer(tampered(GOOD)),
    "an expired token": bearer(token(lifetime=-timedelta(hours=1))),
    "a refresh token": bearer(token(RefreshToken)),
    "nobody's token": bearer(token(user=99)),
    "an inactive user's token": bearer(token(user=2)),
    "a token of no user": bearer(str(AccessToken())),
}


def test_a_good_token_lets_its_user_in(database: str) -> None:
    answers = same(
        urls,
        [
            Ask(url="/me/", headers=bearer(GOOD)),
            Ask("POST", "/authors/", {"name": "Jane Austen"}, headers=bearer(GOOD)),
            Ask("POST", "/authors/", {"name": "Jane Austen"}, headers=bearer(GOOD)),
            Ask(url="/authors/", headers=bearer(GOOD)),
            Ask("OPTIONS", "/authors/", headers=bearer(GOOD)),
            Ask("DELETE", "/authors/", headers=bearer(GOOD)),
            Ask(url="/authors/", headers={**bearer(GOOD), "accept": "text/html"}),
            Ask(url="/stateless/", headers=bearer(token(user=5))),
            Ask(url="/me/"),
            Ask("POST", "/me/", {}, headers={"authorization": "Basic YWxpY2U6c2VjcmV0"}),
        ],
        database,
        populate,
    )
    assert [answer.status for answer in answers] == [200, 201, 400, 200, 200, 405, 200, 200, 200, 200]
    assert answers[0].json() == {"user": "alice", "type": "access"}
    assert answers[7].json() == {"user": "5"}
    assert answers[8].json() == {"user": "AnonymousUser", "type": None}


def test_a_bad_token_keeps_everyone_out(database: str) -> None:
    answers = same(
        urls,
        [
            Ask(method, "/authors/", data, headers=headers)
            for headers in REFUSED.values()
            for method, data in [("GET", None), ("POST", {"name": "Eve"}), ("OPTIONS", None)]
        ],
        database,
        populate,
    )
    assert {answer.status for answer in answers} == {401}
    assert {answer.header["WWW-Authenticate"] for answer in answers} == {'Bearer realm="api"'}


@pytest.mark.parametrize("under", ["/", "/ours/"], ids=["the package's own", "over our bases"])
def test_the_token_views_stand_beside_ours(under: str, database: str) -> None:
    answers = same(
        urls,
        [
            Ask("POST", f"{under}token/", CREDENTIALS),
            Ask("POST", f"{under}token/", {**CREDENTIALS, "password": "wrong"}),
            Ask("POST", f"{under}token/", {"username": "retired", "password": "secret"}),
            Ask("POST", f"{under}token/", {}),
            Ask("POST", f"{under}token/", body=b"{", headers={"content-type": "application/json"}),
            Ask("GET", f"{under}token/"),
            Ask("OPTIONS", f"{under}token/"),
            Ask("GET", f"{under}token/", headers={"accept": "text/html"}),
            Ask("POST", f"{under}token/refresh/", {"refresh": token(RefreshToken)}),
            Ask("POST", f"{under}token/refresh/", {"refresh": GOOD}),
            Ask("POST", f"{under}token/refresh/", {"refresh": token(RefreshToken, lifetime=-timedelta(days=1))}),
            Ask("POST", f"{under}token/refresh/", {"refresh": token(RefreshToken, user=2)}),
            Ask("POST", f"{under}token/refresh/", {}),
            Ask("POST", "/token/verify/", {"token": GOOD}),
            Ask("POST", "/token/verify/", {"token": tampered(GOOD)}),
        ],
        database,
        populate,
        claims,
    )
    assert [answer.status for answer in answers[:9]] == [200, 401, 401, 400, 400, 405, 200, 405, 200]
    assert answers[0].json()["access"]["user_id"] == "1"
    assert [answer.status for answer in answers[9:]] == [401, 401, 401, 400, 200, 401]


def test_the_token_views_over_async_base_classes_are_async() -> None:
    callbacks = {str(each.pattern): each.callback for each in urls(BASES[ASYNC])}
    assert iscoroutinefunction(callbacks["ours/token/"])
    assert not iscoroutinefunction(callbacks["token/"])
