"""sentry-sdk's events of bugs in restflow's views are those of bugs in DRF's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from typing import Any

import pytest

import restflow
from tests.docs.pages import ROOT
from tests.matrix import each_pair

VIEWS = ("sync", "async", "throughout", "async/coroutine", "throughout/coroutine")
BUGS = ("handler", "permission", "serializer")
ALICE = {"id": "1", "email": "alice@example.com", "username": "alice"}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """The answers and events of each request, of a process that sentry's patches stay in."""
    source = os.path.dirname(os.path.dirname(restflow.__file__))
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "tests.thirdparty.sentry_site"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([source, str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def errors(recorded: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [event for event in recorded[name]["events"] if event.get("type") != "transaction"]


def kept(event: dict[str, Any], view: str) -> dict[str, Any]:
    """What a bug's event says of its request: all but where the code is and how long it took."""
    said = {name: event.get(name) for name in ("user", "tags", "level", "request")}
    said["exception"] = [(each["type"], each["value"], each["mechanism"]) for each in event["exception"]["values"]]
    said["messages"] = [each["message"] for each in event["breadcrumbs"]["values"] if each.get("category") != "query"]
    said["transaction"] = (event["transaction"], event["transaction_info"])
    unlike = {event["contexts"]["trace"]["trace_id"], event["event_id"]}
    assert all(unlike)
    return json.loads(json.dumps(said).replace(f"/{view}/", "/view/"))


@each_pair
@pytest.mark.parametrize("kind", ["json", "form", "multipart", "stream"])
@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("transport", ["asgi", "wsgi"])
def test_the_event_of_a_bug_is_the_one_of_drf_s_view(
    recorded: dict[str, Any], transport: str, view: str, bug: str, kind: str
) -> None:
    [theirs] = errors(recorded, f"{transport} drf {bug} {kind}")
    [ours] = errors(recorded, f"{transport} {view} {bug} {kind}")
    assert kept(ours, view) == kept(theirs, "drf")


@pytest.mark.parametrize("view", ["drf", *VIEWS])
@pytest.mark.parametrize("transport", ["asgi", "wsgi"])
def test_the_event_tells_who_asked_for_what(recorded: dict[str, Any], transport: str, view: str) -> None:
    for bug, kind in product(BUGS, ["json", "form", "stream"]):
        name = f"{transport} {view} {bug} {kind}"
        assert recorded[name]["status"] == 500
        [event] = errors(recorded, name)
        assert event["user"].items() >= ALICE.items()
        assert event["transaction"] == f"/{view}/{bug}/{{pk}}/"
        assert event["tags"] == {"who": "alice"}
        request = event["request"]
        assert (request["method"], request["query_string"]) == ("POST", "q=1")
        assert request["url"] == f"http://testserver/{view}/{bug}/7/"
        assert request["data"] == {"title": "by alice"}
        headers = {name.lower(): value for name, value in request["headers"].items()}
        assert headers["x-of"] == "alice"
        assert headers["authorization"] == "[Filtered]"
        [exception] = event["exception"]["values"]
        assert (exception["type"], exception["value"]) == ("RuntimeError", "a bug met by alice")
        assert exception["stacktrace"]["frames"][-1]["function"] == "fail"


@pytest.mark.parametrize("view", ["drf", *VIEWS])
@pytest.mark.parametrize(("where", "status"), [("refused", 403), ("fine", 200)])
def test_what_is_no_bug_makes_no_event_but_its_transaction(
    recorded: dict[str, Any], view: str, where: str, status: int
) -> None:
    answer = recorded[f"asgi {view} {where} json"]
    assert answer["status"] == status
    assert [(event["type"], event["transaction"]) for event in answer["events"]] == [
        ("transaction", f"/{view}/{where}/{{pk}}/")
    ]


def test_nothing_of_a_request_is_in_the_event_of_one_beside_it(recorded: dict[str, Any]) -> None:
    assert recorded["together"]["status"] == [500, 500, 200]
    events = {event["user"]["username"]: event for event in errors(recorded, "together")}
    assert sorted(events) == ["alice", "bob"]
    for number, name in enumerate(("alice", "bob")):
        event = events[name]
        assert event["tags"] == {"who": name, f"only-{name}": "yes"}
        assert event["request"]["data"] == {"title": f"by {name}"}
        assert event["request"]["headers"]["x-of"] == name
        assert event["request"]["url"] == f"http://testserver/async/meeting/{number}/"
        said = [each["message"] for each in event["breadcrumbs"]["values"] if each.get("category") != "query"]
        assert said == [f"of {name}"]
        others = {"alice", "bob", "carol"} - {name}
        assert not [other for other in others if other in json.dumps({**event, "exception": None})]
    carols = [event for event in recorded["together"]["events"] if event["tags"].get("only-carol")]
    assert [event["type"] for event in carols] == ["transaction"]
