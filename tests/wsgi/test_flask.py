"""Flask: templates from its rules, tags on its views, and what it makes of exceptions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import flask
import pytest
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, Rule

from slo_otel import current_event, tag
from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import _wsgi_routes, instrument
from slo_otel.instrumentation._wsgi_routes import template_of
from slo_otel.plan import Outcome
from slo_otel.wsgi import SLOMiddleware
from tests.instrumentation.asgi_world import running
from tests.wsgi.server import Server, call, call_bare, environ_of


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Flask logs each exception that it answers for."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def make(**options: Any) -> flask.Flask:
    return flask.Flask("shop", **options)


def route_of(app: flask.Flask, path: str, method: str = "GET", **extra: Any) -> str | None:
    """Where one request is counted."""
    with running() as world:
        call(app, path, method, extra=extra)
        return world.key().route


class Digits(BaseConverter):
    """A converter with arguments that look like the end of a variable."""

    def __init__(self, map_: Any, sep: str = ">") -> None:
        super().__init__(map_)
        self.regex = r"\d+"


RULES = [
    ("/", "/", "/"),
    ("/orders", "/orders", "/orders"),
    ("/orders/<id>", "/orders/7", "/orders/{id}"),
    ("/orders/<int:id>", "/orders/7", "/orders/{id}"),
    ("/price/<float(signed=True):amount>", "/price/-1.5", "/price/{amount}"),
    ("/files/<path:name>", "/files/a/b/c", "/files/{name}"),
    ("/kind/<any(book, 'a>b'):kind>/<uuid:id>", None, "/kind/{kind}/{id}"),
    ("/page/<string(length=2):lang>-<int:n>.html", "/page/en-3.html", "/page/{lang}-{n}.html"),
    ("/odd/<digits(sep='>'):n>", "/odd/42", "/odd/{n}"),
    ("/strict/<int:id>/", "/strict/7/", "/strict/{id}/"),
]


@pytest.mark.parametrize(("rule", "path", "template"), RULES)
def test_a_rule_is_its_template(rule: str, path: str | None, template: str) -> None:
    """Variables are named without converters and arguments; Werkzeug agrees on where they are."""
    app = make()
    app.url_map.converters["digits"] = Digits
    app.add_url_rule(rule, "view", lambda **_: "ok")
    made = next(each for each in app.url_map.iter_rules() if each.rule == rule)
    assert template_of(rule) == template
    assert all(f"{{{name}}}" in template for name in made.arguments)
    assert path is None or route_of(instrument(app), path) == template


def test_every_rule_werkzeug_takes_has_its_arguments_in_the_template() -> None:
    """Werkzeug's own parse of a rule names the variables; the template has each, and nothing of the converters."""
    for text in ("/a/<b>/c<int(min=1,max=9):d>/<path:e>", "/<any(x,y):z>", "/é/<n>", "/{braces}/<n>"):
        rule = Rule(text, endpoint="x")
        make().url_map.add(rule)
        template = template_of(text)
        assert "<" not in template
        assert all(f"{{{name}}}" in template for name in rule.arguments)


def test_blueprints_and_nested_ones_have_their_full_path() -> None:
    """A blueprint's prefix, and the prefix of the one around it, are part of the template."""
    api, inner = flask.Blueprint("api", "api", url_prefix="/api"), flask.Blueprint("v1", "v1", url_prefix="/<ver>")
    inner.add_url_rule("/orders/<int:number>", "order", lambda ver, number: "ok")
    api.register_blueprint(inner)
    app = make()
    app.register_blueprint(api)
    assert route_of(instrument(app), "/api/v1/orders/7") == "/api/{ver}/orders/{number}"


def test_static_files_are_one_route() -> None:
    """Flask's own rule for static files names no file."""
    app = make(static_folder=str(Path(__file__).parent), static_url_path="/static")
    assert route_of(instrument(app), "/static/test_flask.py") == "/static/{filename}"


@pytest.mark.parametrize(("host", "route"), [("a.shop.test", "/t/{number}"), ("shop.test", "unmatched")])
def test_subdomains_and_hosts_are_no_part_of_a_template(host: str, route: str) -> None:
    """A template is a path; which host a rule is for does not show, and a host without the rule has no route."""
    app = make(subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.test"
    app.add_url_rule("/t/<number>", "t", lambda tenant, number: "ok", subdomain="<tenant>")
    assert route_of(instrument(app), "/t/7", HTTP_HOST=host) == route
    hosted = make(host_matching=True, static_host="shop.test")
    hosted.add_url_rule("/h/<number>", "h", lambda number: "ok", host="a.shop.test")
    assert (route_of(instrument(hosted), "/h/7", HTTP_HOST=host) == "/h/{number}") == (host == "a.shop.test")


def test_what_has_no_rule_is_one_value() -> None:
    """404 and the redirect to a trailing slash are unmatched; a refused method has the template it missed."""
    app = make()
    app.add_url_rule("/orders/<int:number>/", "order", tag("money")(lambda number: "ok"), methods=["POST"])
    instrument(app)
    with running() as world:
        answers = [call(app, *each).status for each in (("/no/7",), ("/orders/7", "POST"), ("/orders/7/",))]
        found = {(cell.key.route, cell.key.status, cell.key.names) for cell in world.cells()}
    assert answers == [404, 308, 405]
    assert found == {("unmatched", 404, ()), ("unmatched", 308, ()), ("/orders/{number}/", 405, ("money",))}


def test_paths_methods_and_hosts_make_no_series() -> None:
    """Nothing in a path, a method or a host makes a series."""
    app = instrument(make())
    app.add_url_rule("/u/<name>", "user", lambda name: name)
    with running() as world:
        for number in range(500):
            call_bare(app, f"/u/{number}", f"M{number % 7}", extra={"HTTP_HOST": f"h{number}"})
            call_bare(app, f"/{number}/x")
        assert len(world.cells()) == 2


class Pay(MethodView):
    """A view with a handler for each method."""

    decorators = [tag("everyone")]  # noqa: RUF012 - Flask's way

    def get(self) -> str:
        return "read"

    @tag("money")
    def post(self) -> str:
        return "paid"


@tag("money")
class Old(View):
    """A view class of the older kind."""

    def dispatch_request(self) -> str:
        return "old"


@pytest.mark.parametrize(
    ("path", "method", "names"),
    [
        ("/pay", "POST", ("money",)),
        ("/pay", "GET", ("everyone",)),
        ("/pay", "HEAD", ("everyone",)),
        ("/old", "GET", ("money",)),
        ("/function", "GET", ("money",)),
        ("/plain", "GET", ()),
    ],
)
def test_tags_are_found_on_views(path: str, method: str, names: tuple[str, ...]) -> None:
    """On the method of a view class, else on what `as_view` made, else on the class; on functions."""
    app = make()
    app.add_url_rule("/pay", view_func=Pay.as_view("pay"))
    app.add_url_rule("/old", view_func=Old.as_view("old"))
    app.add_url_rule("/function", "function", tag("money")(lambda: "ok"))
    app.add_url_rule("/plain", "plain", lambda: "ok")
    instrument(app)
    with running() as world:
        call(app, path, method)
        assert world.key().names == names


def failing_app(**options: Any) -> flask.Flask:
    """Every way a Flask application can fail."""
    app = make()
    app.config.update(options)

    @app.get("/boom/<int:number>")
    def boom(number: int) -> str:
        return str(number / 0)

    @app.get("/handled")
    def handled() -> str:
        raise KeyError("sku")

    @app.errorhandler(KeyError)
    def no_such(fault: KeyError) -> tuple[str, int]:
        return "no such thing", 404

    @app.get("/abort/<int:code>")
    def stop(code: int) -> str:
        flask.abort(code)

    @app.get("/timeout")
    def late() -> str:
        raise TimeoutError

    @app.get("/exit/<why>")
    def leave(why: str) -> str:
        raise SystemExit(why)

    @app.get("/broken")
    def broken() -> flask.Response:
        def parts() -> Iterator[str]:
            yield "a"
            raise ZeroDivisionError

        return flask.Response(flask.stream_with_context(parts()))

    return instrument(app)


FAILURES = [
    ("/boom/1", "/boom/{number}", 500, Outcome.EXCEPTION, "ZeroDivisionError", None),
    ("/handled", "/handled", 404, Outcome.REJECTED, None, None),
    ("/abort/422", "/abort/{code}", 422, Outcome.REJECTED, None, None),
    ("/abort/503", "/abort/{code}", 503, Outcome.ERROR, None, None),
    ("/timeout", "/timeout", 500, Outcome.TIMEOUT, "TimeoutError", "timeout"),
    ("/exit/now", "/exit/{why}", 500, Outcome.CANCELLED, "SystemExit", "server_cancelled"),
    ("/broken", "/broken", 200, Outcome.EXCEPTION, "ZeroDivisionError", None),
]


@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize(("path", "route", "status", "outcome", "error_type", "reason"), FAILURES)
def test_a_failure_is_what_flask_makes_of_it(
    path: str,
    route: str,
    status: int,
    outcome: Outcome,
    error_type: str | None,
    reason: str | None,
    *,
    propagate: bool,
) -> None:
    """Answered by Flask or propagated to the server, an unhandled exception is the same event, with its route."""
    app = failing_app(PROPAGATE_EXCEPTIONS=propagate)
    with running() as world:
        answer = call(app, path)
        key = world.key()
    assert (key.route, key.status, key.outcome) == (route, status, outcome)
    assert (key.error_type, key.reason) == (error_type, reason)
    propagated = propagate and outcome in (Outcome.EXCEPTION, Outcome.TIMEOUT)
    assert (answer.raised is not None) == (propagated or path in ("/exit/now", "/broken"))


@pytest.mark.parametrize("code", [500, 503, 200])
def test_a_handler_of_500_answers_for_an_exception(code: int) -> None:
    """A page of the application's own for unhandled exceptions hides no exception; one below 500 is an answer."""
    app = failing_app()
    app.register_error_handler(500, lambda _: ("sorry", code))
    with running() as world:
        assert call(app, "/boom/1").status == code
        key = world.key()
    expected = (Outcome.SUCCESS, None) if code == 200 else (Outcome.EXCEPTION, "ZeroDivisionError")
    assert (key.status, (key.outcome, key.error_type)) == (code, expected)


def test_a_handler_of_exception_is_an_answer() -> None:
    """What `errorhandler(Exception)` returns is the answer, as with any exception that an inner handler took."""
    app = failing_app()
    app.register_error_handler(Exception, lambda _: ("sorry", 503))
    with running() as world:
        assert call(app, "/boom/1").status == 503
        assert (world.key().outcome, world.key().error_type) == (Outcome.ERROR, None)


def test_an_exception_does_not_stain_the_next_request() -> None:
    """What was noted of one request is not found on the next one of the same thread."""
    app = failing_app()
    with running() as world:
        assert [call(app, path).status for path in ("/boom/1", "/abort/500", "/abort/500")] == [500] * 3
        found = {(cell.key.route, cell.key.outcome): cell.count for cell in world.cells()}
    assert found == {("/boom/{number}", Outcome.EXCEPTION): 1, ("/abort/{code}", Outcome.ERROR): 2}


def test_a_teardown_that_raises_is_the_servers_500() -> None:
    """Flask raises it after the view answered and before anything was sent: the client gets a 500."""
    app = make()
    app.add_url_rule("/t/<int:number>", "t", lambda number: "ok")

    @app.teardown_request
    def break_down(_fault: BaseException | None) -> None:
        raise LookupError

    with running() as world:
        assert call(instrument(app), "/t/1").status == 500
        key = world.key()
    assert (key.route, key.status, key.outcome, key.error_type) == (
        "/t/{number}",
        500,
        Outcome.EXCEPTION,
        "LookupError",
    )


def test_before_request_answers_for_the_route_it_was_on_the_way_to() -> None:
    """Flask routes first: an answer before the view has the view's template."""
    app = make()
    app.add_url_rule("/t/<int:number>", "t", lambda number: "ok")
    app.before_request(lambda: ("closed", 503))
    assert route_of(instrument(app), "/t/1") == "/t/{number}"
    assert route_of(app, "/nowhere") == "unmatched"


def streaming_app() -> flask.Flask:
    app = make()

    @app.get("/stream")
    @tag("money")
    def stream() -> flask.Response:
        def parts() -> Iterator[str]:
            for part in "abc":
                current_event().set(tenant=flask.request.args["tenant"])
                yield part

        return flask.Response(flask.stream_with_context(parts()), mimetype="text/event-stream")

    @app.get("/file")
    def file() -> flask.Response:
        return flask.send_file(__file__)

    return instrument(app)


def test_a_stream_knows_its_request_and_its_event() -> None:
    """`stream_with_context` and `current_event` work to the last part."""
    with running() as world:
        assert call(streaming_app(), "/stream?tenant=t1").body == b"abc"
        key = world.key()
    assert (key.attributes, key.names, key.event_stream) == ((("tenant", "t1"),), ("money",), True)


def test_a_stream_that_its_client_leaves_is_cancelled() -> None:
    """The server closes the body; the generator ends, and the event is the client's."""
    with running() as world:
        call(streaming_app(), "/stream?tenant=t1", server=Server(parts=1))
        assert (world.key().outcome, world.verdict()) == (Outcome.CANCELLED, "excluded")


@pytest.mark.parametrize("wrapper", [None, FileWrapper])
def test_a_file_is_sent_as_the_server_likes(wrapper: Any) -> None:
    """`send_file` uses the server's wrapper where there is one, and that very object reaches the server."""
    extra = {} if wrapper is None else {"wsgi.file_wrapper": wrapper}
    with running() as world:
        answer = call_bare(streaming_app(), "/file", extra=extra)
        assert (world.key().route, world.key().status) == ("/file", 200)
    assert answer.body == Path(__file__).read_bytes()
    assert wrapper is None or type(answer.returned) is wrapper


def test_an_async_view_is_measured_like_any_other() -> None:
    """Flask runs it in a loop of its own; the event is reached from there."""
    app = make()

    @app.get("/a/<int:number>")
    @tag("money")
    async def view(number: int) -> str:
        await asyncio.sleep(0)
        current_event().set(tenant="t1")
        return "ok"

    with running() as world:
        assert call(instrument(app), "/a/1").status == 200
        key = world.key()
    assert (key.route, key.names, key.attributes) == ("/a/{number}", ("money",), (("tenant", "t1"),))


def test_categories_are_known_inside_the_view() -> None:
    """An inner call of the same category is no second event: the route and its tags are known in the view."""
    seen: list[frozenset[str]] = []
    app = make()

    @app.get("/a")
    @tag("money")
    def view() -> str:
        seen.append(current_event().categories())
        return "ok"

    with running():
        call(instrument(app), "/a")
    assert seen == [{"money"}]


def wrapped_by_hand(app: flask.Flask) -> Any:
    app.wsgi_app = SLOMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    return app


def around_a_proxy(app: flask.Flask) -> Any:
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    return instrument(app)


def behind_a_proxy(app: flask.Flask) -> Any:
    instrument(app).wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    return instrument(app)


@pytest.mark.parametrize(
    "install",
    [
        instrument,
        lambda app: instrument(instrument(app)),
        wrapped_by_hand,
        lambda app: instrument(wrapped_by_hand(app)),
        around_a_proxy,
        behind_a_proxy,
        SLOMiddleware,
        lambda app: SLOMiddleware(instrument(app)),
        lambda app: SLOMiddleware(ProxyFix(app)),
        lambda app: SLOMiddleware(partial(app.wsgi_app)),
        lambda app: instrument(SLOMiddleware(app)),
    ],
)
def test_however_it_is_installed_it_is_one_event_with_its_route(install: Any) -> None:
    """In place, by hand, twice, in or around other middleware: one event, its template and its exception."""
    app = make()
    app.add_url_rule("/t/<int:number>", "t", tag("money")(lambda number: str(1 // number)))
    with running() as world:
        service = install(app)
        assert [call(service, f"/t/{number}").status for number in (1, 1, 0)] == [200, 200, 500]
        found = {(cell.key.route, cell.key.names, cell.key.error_type): cell.count for cell in world.cells()}
    assert found == {("/t/{number}", ("money",), None): 2, ("/t/{number}", ("money",), "ZeroDivisionError"): 1}


def test_one_middleware_around_several_applications() -> None:
    """Each application of a dispatcher has its own rules and views, though they look alike."""
    shop, admin = make(), flask.Flask("admin")
    for app, name in ((shop, "money"), (admin, "chat")):
        app.add_url_rule("/t/<int:number>", "t", tag(name)(lambda number: "ok"))
    service = SLOMiddleware(DispatcherMiddleware(shop, {"/admin": admin}))
    with running() as world:
        for path in ("/t/1", "/admin/t/1"):
            call(service, path)
        assert {cell.key.names for cell in world.cells()} == {("money",), ("chat",)}


class Opaque:
    """A middleware that shows nobody what it wraps."""

    def __init__(self, hidden: Any) -> None:
        self._hidden = hidden

    def __call__(self, *given: Any) -> Any:
        return self._hidden(*given)


def broken_down(_fault: BaseException | None) -> None:
    raise LookupError


def dispatched(failure: str) -> Any:
    """Two applications with rules that look alike, one below the other."""
    shop, admin = make(), flask.Flask("admin")
    shop.add_url_rule("/t/<shop>", "t", lambda shop: str(1 // 0) if failure == "propagated" else "ok")
    admin.add_url_rule("/t/<admin>", "t", lambda admin: str(1 // 0) if failure == "propagated" else "ok")
    for app in (shop, admin):
        app.config["PROPAGATE_EXCEPTIONS"] = True
        if failure == "teardown":
            app.teardown_request(broken_down)
    return SLOMiddleware(DispatcherMiddleware(shop, {"/admin": admin}))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("failure", ["none", "propagated", "teardown"])
@pytest.mark.parametrize(("path", "route"), [("/t/1", "/t/{shop}"), ("/admin/t/1", "/t/{admin}")])
def test_applications_of_a_dispatcher_are_told_apart_however_it_ends(
    path: str, route: str, failure: str, *, nested: bool
) -> None:
    """The same path in another application is another route, also where nothing began or an outer one has it."""
    service = dispatched(failure)
    with running() as world:
        call(SLOMiddleware(Opaque(service)) if nested else service, path)
        assert world.key().route == route


def test_what_is_mounted_beside_flask_is_not_matched_against_its_rules() -> None:
    """A path that looks like one of Flask's, in an application that is none, has no route."""

    def plain(environ: Any, start_response: Any) -> list[bytes]:
        start_response("405 Method Not Allowed", [("Content-Type", "text/plain")])
        return [b"no"]

    shop = make()
    shop.add_url_rule("/t/<int:number>", "t", lambda number: "ok")
    service = SLOMiddleware(DispatcherMiddleware(shop, {"/plain": plain}))
    with running() as world:
        for _ in range(2):
            call(service, "/plain/t/1")
        assert world.counts() == {("GET", "unmatched", 405, Outcome.REJECTED): 2}


def test_a_request_that_is_matched_again_is_left_as_flask_left_it() -> None:
    """Flask takes its request out of the environ so that it is freed at once; ours puts none back."""
    environ = environ_of("/exit/now")
    with running() as world:
        Server().serve(failing_app(), environ)
        assert world.key().route == "/exit/{why}"
    assert environ.get("werkzeug.request") is None


def test_rules_that_are_made_while_it_runs_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application may have more rules than we remember: those beyond are found anew each time."""
    monkeypatch.setattr(_wsgi_routes, "_MOST", 3)
    app = make()
    for number in range(9):
        app.add_url_rule(f"/r{number}/<x>", f"r{number}", lambda x: "ok")
    with running() as world:
        for number in [*range(9)] * 2:
            call(instrument(app), f"/r{number}/7")
        assert {cell.key.route: cell.count for cell in world.cells()} == {f"/r{n}/{{x}}": 2 for n in range(9)}
        assert len(app.wsgi_app._requests.table._held) == 3  # type: ignore[attr-defined]  # ours


def test_twice_is_once() -> None:
    """The second `instrument` finds the first one, also behind middleware that came between."""
    app = instrument(make())
    measured = app.wsgi_app
    assert instrument(app).wsgi_app is measured
    app.wsgi_app = proxied = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    assert instrument(app).wsgi_app is proxied


def test_the_test_client_counts() -> None:
    """Flask's own test client takes one part and closes nothing: an answer that is complete with it is counted."""
    app = make()
    app.add_url_rule("/t/<int:number>", "t", lambda number: "ok")
    app.add_url_rule("/no", "no", lambda: flask.abort(409))
    with running() as world, instrument(app).test_client() as client:
        answers = [client.get(path) for path in ("/t/1", "/t/1", "/no", "/no")]
        assert [answer.status_code for answer in answers] == [200, 200, 409, 409]
        assert sum(cell.count for cell in world.cells()) == 4


def test_a_class_or_another_framework_is_no_flask_application() -> None:
    """What cannot be measured in place is said, with what to write instead."""
    wrongs: list[Any] = [flask.Flask, lambda environ, start_response: []]
    for wrong in wrongs:
        with pytest.raises(ConfigurationError, match=r"slo_otel\.wsgi\.SLOMiddleware"):
            instrument(wrong)


def test_the_fast_path_is_taken_from_the_second_answer_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain answer of a known rule is recorded with two clock reads, one look-up and one append."""
    from slo_otel.instrumentation import _wsgi_requests

    reads: list[None] = []

    def perf() -> float:
        reads.append(None)
        return 1.0

    app = make()
    app.add_url_rule("/t/<int:number>", "t", lambda number: "ok")

    with running(perf=perf) as world:
        call_bare(instrument(app), "/t/1")
        monkeypatch.setattr(_wsgi_requests, "_finished", None)
        reads.clear()
        assert call_bare(app, "/t/1").status == 200
        assert len(reads) == 2
        assert world.one_count() == 2
