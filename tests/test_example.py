"""The example project, started for real: every curl line of its README, and what a README can't show."""

import argparse
import csv
import dataclasses
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from restflow.views import ActionConfig

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parent.parent
BOOKSHOP = ROOT / "examples" / "bookshop"
AS_DEMO = {"authorization": "Token bookshop-demo-token-not-a-secret"}
START_SECONDS = 60
STOP_SECONDS = 20

# What may differ from one run to the next.
VARIES = re.compile(r'("(?:elapsed_seconds|in_flight)": ?)[\d.]+')


# --- the server -----------------------------------------------------------------------------------------------------


def environment(database: Path, port: int = 8000) -> dict[str, str]:
    """The environment in which the example runs, whatever that of the tests."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bookshop.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(BOOKSHOP)]),
        "BOOKSHOP_DB": str(database),
        "BOOKSHOP_DEBUG": "1",
        "PORT": str(port),
    }


def manage(database: Path, *arguments: str) -> None:
    """Run one of the example's management commands."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=BOOKSHOP, env=environment(database), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def wait_until_open(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            client.get("/")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"The example did not start:\n{log.read_text()}")


@contextmanager
def open_shop(folder: Path, filled: Path) -> Iterator[httpx.Client]:
    """The example served by uvicorn over a database of its own: a client for it."""
    database, log, port = folder / "db.sqlite3", folder / "server.log", free_port()
    shutil.copy(filled, database)
    command = [sys.executable, "-m", "uvicorn", "bookshop.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as output,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
        subprocess.Popen(
            command, cwd=BOOKSHOP, env=environment(database, port), stdout=output, stderr=subprocess.STDOUT
        ) as server,
    ):
        try:
            wait_until_open(client, server, log)
            yield client
        finally:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
    for complaint in "Traceback", "Warning:", "Exception":
        assert complaint not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the example's tables and rows."""
    database = tmp_path_factory.mktemp("filled") / "db.sqlite3"
    manage(database, "migrate", "--verbosity=0")
    manage(database, "loaddata", "bookshop")
    return database


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Iterator[httpx.Client]:
    with open_shop(tmp_path_factory.mktemp("shop"), filled) as client:
        yield client


# --- the documented sessions ----------------------------------------------------------------------------------------


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """Each command of the ```console blocks, and the output that is printed under it."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for step in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output.strip()


class CurlParser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise ValueError(f"this test can't do that with curl: {message}")


def curl(client: httpx.Client, command: str) -> tuple[httpx.Response, argparse.Namespace]:
    """Do what a curl line says."""
    parser = CurlParser(prog="curl", add_help=False, allow_abbrev=False)
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", action="append", default=[])
    parser.add_argument("-w", "--write-out", default="")
    parser.add_argument("url")
    options = parser.parse_args(shlex.split(command)[1:])

    headers = {"accept": "*/*"}
    if options.data:
        headers["content-type"] = "application/x-www-form-urlencoded"
    for header in options.header:
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    method = options.request or ("POST" if options.data else "GET")
    return client.request(method, options.url, headers=headers, content="&".join(options.data) or None), options


def check_session(client: httpx.Client, command: str, documented: str) -> None:
    port = client.base_url.port
    response, options = curl(client, command.replace(":8000", f":{port}"))
    if options.include:
        # The documented headers may be fewer than the real ones.
        head, _, documented = documented.partition("\n\n")
        status, *headers = head.splitlines()
        assert status.split()[:2] == ["HTTP/1.1", str(response.status_code)], command
        for header in headers:
            name, _, value = header.partition(":")
            assert response.headers.get(name) == value.strip(), command
    printed = response.text + options.write_out.replace("\\n", "\n").replace("%{http_code}", str(response.status_code))
    printed = printed.strip().replace(f":{port}", ":8000")
    assert VARIES.sub(r"\1?", printed) == VARIES.sub(r"\1?", documented), command


@pytest.mark.parametrize("readme", [BOOKSHOP / "README.md", ROOT / "README.md"], ids=["bookshop", "root"])
def test_readme(readme: Path, tmp_path: Path, filled: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    steps = [step for step in sessions(text) if step[0].startswith("curl ") and ":8000" in step[0]]
    assert steps
    with open_shop(tmp_path, filled) as client:
        for command, documented in steps:
            check_session(client, command, documented)


def test_bookshop_readme_has_sessions() -> None:
    text = (BOOKSHOP / "README.md").read_text(encoding="utf-8")
    assert sum(command.startswith("curl ") for command, _ in sessions(text)) >= 10


# --- what a README can't show ---------------------------------------------------------------------------------------


def clarissa(volume: int) -> dict[str, Any]:
    return {
        "title": f"Clarissa, Volume {volume}",
        "author": 1,
        "published": 1748,
        "language": "English",
        "price_cents": 500,
    }


def test_project_is_sound(filled: Path) -> None:
    manage(filled, "check", "--fail-level=WARNING")
    manage(filled, "makemigrations", "--check", "--dry-run")


def test_the_schema_is_generated_without_warnings(filled: Path, tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    manage(filled, "spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", str(file))
    schema = json.loads(file.read_text(encoding="utf-8"))
    book = schema["components"]["schemas"]["Book"]
    assert book["properties"]["latest_review"]["nullable"] is True
    assert "latest_review" in book["required"]
    for address in ("/api/books/", "/api/authors/", "/api/books/shelf/"):
        assert "404" in schema["paths"][address]["get"]["responses"]
    assert "404" not in schema["paths"]["/api/books/catalogue/"]["get"]["responses"]


def test_the_page_has_its_files_from_the_shop(shop: httpx.Client) -> None:
    page = shop.get("/api/docs/").text
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(files) >= 4
    for file in files:
        assert file.startswith("/static/drf_spectacular_sidecar/"), file
        assert shop.get(file).status_code == 200
    assert shop.get("/api/schema/").headers["content-type"].startswith("application/vnd.oai.openapi")


def test_every_field_of_an_action_config_is_used() -> None:
    source = (BOOKSHOP / "shop" / "viewsets.py").read_text(encoding="utf-8")
    configs = source[source.index("OFFERS = ") : source.index("async def list")]
    unused = [field.name for field in dataclasses.fields(ActionConfig) if f"{field.name}=" not in configs]
    assert not unused


def test_the_catalogue_is_open_and_whole(shop: httpx.Client) -> None:
    answer = shop.get("/api/books/catalogue/", headers={"authorization": "Token nobodys"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert len(rows) == 368 + len(shop.get("/api/books/shelf/", headers=AS_DEMO).json()["results"])
    assert rows[0] == {
        "author": "Jane Austen",
        "title": "Sense and Sensibility",
        "published": "1811",
        "price_cents": "1399",
    }


def test_the_shelf_is_the_readers_own(tmp_path: Path, filled: Path) -> None:
    with open_shop(tmp_path, filled) as client:
        assert client.get("/api/books/shelf/").status_code == 401
        assert client.get("/api/books/shelf/", headers=AS_DEMO).json()["results"] == []
        for volume in range(1, 4):
            assert client.post("/api/books/", json=clarissa(volume), headers=AS_DEMO).status_code == 201
        first = client.get("/api/books/shelf/", headers=AS_DEMO).json()
        second = client.get(first["next"], headers=AS_DEMO).json()
    titles = [book["title"] for book in first["results"] + second["results"]]
    assert titles == ["Clarissa, Volume 1", "Clarissa, Volume 2", "Clarissa, Volume 3"]
    assert second["next"] is None
    assert "count" not in first


def test_a_change_needs_all_fields_by_put_and_some_by_patch(tmp_path: Path, filled: Path) -> None:
    with open_shop(tmp_path, filled) as client:
        book = client.post("/api/books/", json=clarissa(1), headers=AS_DEMO).json()
        address = f"/api/books/{book['id']}/"
        put = client.put(address, json={"price_cents": 450}, headers=AS_DEMO)
        patched = client.patch(address, json={"price_cents": 450}, headers=AS_DEMO)
        replaced = client.put(address, json=clarissa(2), headers=AS_DEMO)
    assert sorted(put.json()) == ["author", "language", "published", "title"]
    assert patched.json() == {**book, "price_cents": 450}
    assert replaced.json() == {**book, "title": "Clarissa, Volume 2"}


def test_a_change_of_what_was_not_seen_is_refused(tmp_path: Path, filled: Path) -> None:
    with open_shop(tmp_path, filled) as client:
        created = client.post("/api/books/", json=clarissa(1), headers=AS_DEMO)
        address = f"/api/books/{created.json()['id']}/"
        seen = client.patch(address, json={"price_cents": 450}, headers=AS_DEMO).headers["etag"]
        statuses = [
            client.patch(address, json={"price_cents": cents}, headers={**AS_DEMO, "if-match": seen}).status_code
            for cents in (460, 470)
        ]
    assert statuses == [200, 412]


def test_a_book_that_is_sent_twice_with_one_key_is_listed_once(tmp_path: Path, filled: Path) -> None:
    with open_shop(tmp_path, filled) as client:
        headers = {**AS_DEMO, "idempotency-key": "clarissa"}
        created = [client.post("/api/books/", json=clarissa(1), headers=headers) for _ in range(2)]
        shelf = client.get("/api/books/shelf/", headers=AS_DEMO).json()["results"]
    assert [answer.status_code for answer in created] == [201, 201]
    assert created[0].json() == created[1].json()
    assert len(shelf) == 1


def test_sellers_are_asked_at_once_and_by_sync_code_in_turn(shop: httpx.Client) -> None:
    at_once = shop.get("/api/books/2/offers/").json()
    in_turn = shop.get("/api/books/2/offers-in-turn/").json()
    assert len(at_once["offers"]) == len(in_turn["offers"]) == 5
    assert at_once["in_flight"] > 1
    assert in_turn["in_flight"] == 1


def test_all_books_arrive_line_by_line(shop: httpx.Client) -> None:
    with shop.stream("GET", "/api/books/arriving/") as answer:
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        assert "content-length" not in answer.headers
        titles = [json.loads(line)["title"] for line in answer.iter_lines()]
    assert titles[:2] == ["Sense and Sensibility", "Pride and Prejudice"]
    assert len(titles) >= 368


def test_the_front_page_asks_for_the_shops_own_addresses_only(shop: httpx.Client) -> None:
    page = shop.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert set(re.findall(r"https?://[^'\"]+", page.text)) == {"http://www.w3.org/2000/svg"}  # a name, asked of nobody
    addresses = set(re.findall(r'"(/[^"]*)"', page.text)) - {"/api/books/listed/", "/api/books/shelf/"}
    assert len(addresses) >= 7
    for address in addresses:
        assert shop.get(address).status_code == 200, address


def test_the_front_page_in_a_browser(tmp_path: Path, filled: Path, browser: Any) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    with open_shop(tmp_path, filled) as client, closing(browser.new_page()) as page:
        page.goto(str(client.base_url))
        expect(page.locator("#state")).to_have_text("Listening")
        for count in range(1, 4):
            page.click("#list")
            expect(page.locator("#events li")).to_have_count(count)
        page.click("#list")
        expect(page.locator("#said")).to_contain_text("403: Your shelf is full")
        page.click("text=Take one off")
        expect(page.locator("#said")).to_contain_text("204")
        expect(page.locator("#again")).to_be_enabled(timeout=30_000)
        assert page.locator("#shelf i").count() >= 368
        expect(page.locator("#offers")).to_contain_text("the lowest of 5 prices")
        for width in 390, 1280:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_books_are_streamed_as_they_are_listed_and_those_that_were_missed(shop: httpx.Client) -> None:
    headers = {"accept": "text/event-stream", "last-event-id": "366"}
    with shop.stream("GET", "/api/books/listed/", headers=headers) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        lines = answer.iter_lines()
        event = [next(lines) for _ in range(3)]
    assert event[:2] == ["event: book", "id: 367"]
    assert json.loads(event[2].removeprefix("data: ")) == shop.get("/api/books/367/").json()


@pytest.mark.parametrize("host", ["localhost:22", "127.0.0.1", "testserver"])
def test_host_header_does_not_choose_the_upstream(shop: httpx.Client, host: str) -> None:
    answer = shop.get("/api/books/2/offers/", headers={"host": host})
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": "No sellers are known at this address.",
        "instance": "/api/books/2/offers/",
        "code": "bad_gateway",
    }


def test_every_book_has_its_latest_review(shop: httpx.Client) -> None:
    rows = json.loads((BOOKSHOP / "shop" / "fixtures" / "bookshop.json").read_text(encoding="utf-8"))
    reviews = [(row["fields"]["written"], row["pk"], row["fields"]) for row in rows if row["model"] == "shop.review"]
    latest = {fields["book"]: fields for _, _, fields in sorted(reviews, key=lambda review: review[:2])}

    url: str | None = "/api/books/?page_size=100"
    books: list[dict[str, Any]] = []
    while url:
        page = shop.get(url).json()
        books += page["results"]
        url = page["next"]

    assert len(books) == sum(row["model"] == "shop.book" for row in rows)
    for book in books:
        expected = latest.get(book["id"])
        if expected:
            expected = {name: expected[name] for name in ["reader", "rating", "text", "written"]}
        assert book["latest_review"] == expected


@pytest.mark.parametrize("headers", [{}, AS_DEMO], ids=["anonymous", "demo"])
def test_browsable_api(shop: httpx.Client, headers: dict[str, str]) -> None:
    addresses = ["/api/", *shop.get("/api/").json().values()]
    for address in addresses:
        page = shop.get(address, headers={"accept": "text/html,*/*;q=0.8", **headers})
        assert page.status_code == 200
        if address.endswith(("/catalogue/", "/schema/")):
            continue
        assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert shop.get("/static/rest_framework/css/default.css").status_code == 200


def test_options(shop: httpx.Client) -> None:
    answer = shop.options("/api/books/", headers=AS_DEMO)
    assert answer.status_code == 200
    assert answer.json()["actions"]["POST"]["title"]["required"] is True


@pytest.mark.parametrize("pk", ["0", "99999999999999999999"])
@pytest.mark.parametrize("address", ["/api/authors/{}/", "/api/books/{}/", "/api/books/{}/reviews/"])
def test_unknown(shop: httpx.Client, address: str, pk: str) -> None:
    answer = shop.get(address.format(pk))
    assert answer.status_code == 404
    assert "detail" in answer.json()


def test_a_shelf_holds_three_books(shop: httpx.Client) -> None:
    statuses = []
    for volume in range(1, 5):
        answer = shop.post("/api/books/", json=clarissa(volume), headers=AS_DEMO)
        statuses.append(answer.status_code)
    assert statuses == [201, 201, 201, 403]
    assert answer.json() == {"detail": "Your shelf is full: three books are the most that a reader may list."}


def test_wrong_token(shop: httpx.Client) -> None:
    answer = shop.get("/api/books/", headers={"authorization": "Token nobodys"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Token"


def test_offers_are_throttled(tmp_path: Path, filled: Path) -> None:
    with open_shop(tmp_path, filled) as client:
        statuses = [client.get("/api/books/0/offers/").status_code for _ in range(31)]
    assert statuses == [404] * 30 + [429]
