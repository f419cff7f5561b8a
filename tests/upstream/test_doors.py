"""The ways in for WSGI and for Django, on small suites: every request is one event, and what is not one is told."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from upstream.compare import complaints, differences
from upstream.runs import BARE, OURS, Run, options, read, surroundings
from upstream.suites import Suite

WSGI = Suite("demo", "1.0", "", ("test_demo.py",), (), (), ("flask:Flask",), door="wsgi")
DJANGO = replace(WSGI, tests=("shop",), applications=(), door="django", runner="runtests.py")
FLASK_TESTS = """
from flask import Flask
from werkzeug.test import Client, run_wsgi_app, create_environ
from werkzeug.wrappers import Request, Response

app = Flask(__name__)


@app.get("/")
def hello():
    return "hello"


@app.get("/stream")
def stream():
    return (part for part in ["a", "b"])


def other(environ, start_response):
    return Response("other")(environ, start_response)


def test_flask():
    assert app.test_client().get("/").text == "hello"


def test_answers_that_nobody_reads():
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/", "/", "/stream", "/absent")] == [200, 200, 200, 404]


def test_middleware_around_it():
    assert Client(lambda environ, start: app(environ, start)).get("/").text == "hello"


def test_another_application():
    assert Client(other).get("/").text == "other"
    body, status, _ = run_wsgi_app(other, create_environ())
    assert status == "200 OK" and b"".join(body) == b"other"


def test_nothing_is_sent():
    with app.test_request_context("/"):
        assert Request(create_environ()).path == "/"
"""
DJANGO_FILES = {
    "tests/test_sqlite.py": """
SECRET_KEY = "only for tests"
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["*"]
DATABASES = {}
""",
    "tests/runtests.py": """
import os, sys
import django
from django.conf import settings
from django.test.utils import get_runner

os.environ["DJANGO_SETTINGS_MODULE"] = sys.argv[sys.argv.index("--settings") + 1]
django.setup()
sys.exit(bool(get_runner(settings)(verbosity=0, parallel=1).run_tests(["shop"])))
""",
    "tests/shop/__init__.py": "",
    "tests/shop/urls.py": """
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

urlpatterns = [
    path("", lambda request: HttpResponse("hello")),
    path("stream/", lambda request: StreamingHttpResponse(iter([b"a", b"b"]))),
    path("raises/", lambda request: {}["absent"]),
]
""",
    "tests/shop/tests.py": """
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory, SimpleTestCase, override_settings


def around(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Around"] = "yes"
        return response

    return middleware


class Requests(SimpleTestCase):
    def test_client(self):
        self.assertEqual(self.client.get("/").content, b"hello")

    async def test_async_client(self):
        self.assertEqual((await self.async_client.get("/absent")).status_code, 404)

    @override_settings(MIDDLEWARE=["shop.tests.around"])
    def test_middleware_of_its_own(self):
        self.assertEqual(self.client.get("/")["X-Around"], "yes")

    def test_handler_of_its_own(self):
        answer = WSGIHandler()(RequestFactory()._base_environ(), lambda status, headers: None)
        self.assertEqual(answer.content, b"hello")
        answer.close()

    def test_streams_that_nobody_reads(self):
        for _ in range(2):
            with self.subTest():
                self.assertTrue(self.client.get("/stream/").streaming)

    def test_exception(self):
        with self.assertRaises(KeyError):
            self.client.get("/raises/")

    def test_nothing_is_sent(self):
        self.assertEqual(RequestFactory().get("/").path, "/")

    def test_fails_anyway(self):
        self.fail("not ours")
""",
}
SABOTAGE = """
import sys
from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

if "slo_otel" in sys.modules:
    import slo_otel_django

    ours = slo_otel_django.SLOMiddleware

    @sync_and_async_middleware
    def forgetful(get_response):
        measured = ours(get_response)

        def chosen(request):
            return get_response if request.path == "/absent" else measured

        async def asynchronous(request):
            return await chosen(request)(request)

        def synchronous(request):
            return chosen(request)(request)

        return asynchronous if iscoroutinefunction(get_response) else synchronous

    slo_otel_django.SLOMiddleware = forgetful
"""


def run_demo(suite: Suite, variant: str, place: Path, files: dict[str, str]) -> Run:
    """Run a small suite in this environment."""
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    told = place / "outcomes.json"
    command = [sys.executable, *options(suite, variant, 0), *suite.tests]
    env = surroundings(suite, variant, place, told)
    subprocess.run(command, check=False, cwd=place / suite.directory, env=env, capture_output=True, timeout=200)
    return read(told.read_text(encoding="utf-8"), 1.0)


def counted(run: Run) -> dict[str, tuple[str, int, int]]:
    """The outcome, the requests at our middleware and the events of each test, by its own name."""
    return {
        name.rpartition("test_")[2]: (test.outcome, test.opened, test.events) for name, test in run.tests.items()
    }


def test_every_wsgi_application_is_measured(tmp_path: Path) -> None:
    """Flask in place, others where they are called; middleware around it makes no second event of a request."""
    files = {"pyproject.toml": "[tool.pytest.ini_options]\n", "test_demo.py": FLASK_TESTS}
    ours = run_demo(WSGI, OURS, tmp_path, files)
    assert [*complaints(ours)] == []
    assert counted(ours) == {
        "flask": ("passed", 1, 1),
        "answers_that_nobody_reads": ("passed", 4, 4),
        "middleware_around_it": ("passed", 1, 1),
        "another_application": ("passed", 2, 2),
        "nothing_is_sent": ("passed", 0, 0),
    }


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small suite of Django's kind without us."""
    return run_demo(DJANGO, BARE, tmp_path_factory.mktemp("bare"), DJANGO_FILES)


def test_every_handler_of_django_has_our_middleware_first(bare: Run, tmp_path: Path) -> None:
    """Also one with other MIDDLEWARE, and one that a test makes; streams that are dropped are closed afterwards."""
    ours = run_demo(DJANGO, OURS, tmp_path, DJANGO_FILES)
    assert differences(bare, ours) == {}
    assert [*complaints(ours)] == []
    assert counted(ours) == {
        "client": ("passed", 1, 1),
        "async_client": ("passed", 1, 1),
        "middleware_of_its_own": ("passed", 1, 1),
        "handler_of_its_own": ("passed", 1, 1),
        "streams_that_nobody_reads": ("passed", 2, 2),
        "exception": ("passed", 1, 1),
        "nothing_is_sent": ("passed", 0, 0),
        "fails_anyway": ("failed", 0, 0),
    }


def test_a_middleware_that_forgets_a_request_of_django_is_told(bare: Run, tmp_path: Path) -> None:
    """Every test ends alike, and the counts say which one was not seen."""
    changed = SABOTAGE + DJANGO_FILES["tests/shop/tests.py"]
    ours = run_demo(DJANGO, OURS, tmp_path, DJANGO_FILES | {"tests/shop/tests.py": changed})
    assert differences(bare, ours) == {}
    assert [line.rpartition("test_")[2] for line in complaints(ours)] == [
        "async_client: 1 requests were sent, none was recorded",
        "in all, 7 requests reached the middleware, 6 events were recorded",
    ]
