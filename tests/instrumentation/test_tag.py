"""`tag`: marks a handler and leaves it the same object."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import tag, tags_of, track


def handler() -> None:
    """Untagged."""


class View:
    """Untagged, with one tagged method."""

    def get(self) -> None:
        """Untagged."""

    @tag("money")
    def post(self) -> None:
        """Tagged."""


@tag("webhook")
class TaggedView(View):
    """Tagged, over a view with a tagged method."""


class InheritingView(TaggedView):
    """Not tagged by itself."""


@tag("own")
class JoiningView(TaggedView):
    """Tagged beside what it inherits."""


def test_tag_returns_the_same_object() -> None:
    """Nothing is wrapped: identity, signature and everything else stay."""

    def fn() -> None:
        """Nothing."""

    assert tag("money")(fn) is fn
    assert tags_of(fn, "GET") == ("money",)
    assert tags_of(handler, "GET") == ()


def test_stacked_tags_add_up_without_repeating() -> None:
    """In the order they stand nearest to the function, each once."""

    @tag("c", "a")
    @tag("a", "b")
    def fn() -> None:
        """Nothing."""

    assert tags_of(fn, "GET") == ("a", "b", "c")


@pytest.mark.parametrize(
    ("view", "method", "tags"),
    [
        (View, "POST", ("money",)),
        (View, "GET", ()),
        (View, "DELETE", ()),
        (TaggedView, "POST", ("money",)),
        (TaggedView, "GET", ("webhook",)),
        (TaggedView, "HEAD", ("webhook",)),
        (TaggedView, "BREW", ("webhook",)),
        (InheritingView, "GET", ("webhook",)),
        (JoiningView, "GET", ("webhook", "own")),
    ],
)
def test_a_view_is_looked_up_on_the_method_and_then_on_the_class(
    view: type, method: str, tags: tuple[str, ...]
) -> None:
    """The method's own tags win; without any, those of the class, inherited ones included."""
    assert tags_of(view, method) == tags


def test_head_is_what_get_is_tagged_with() -> None:
    """A view without `head` answers HEAD with `get`."""

    class Page:
        @tag("page")
        def get(self) -> None:
            """Tagged."""

    assert tags_of(Page, "HEAD") == ("page",)
    assert tags_of(Page, "POST") == ()


def test_tags_are_found_through_partials_wrappers_and_bound_methods() -> None:
    """Whatever a framework hands over: a `partial`, a decorator with `wraps` or only `__wrapped__`, a method."""

    @tag("money")
    def fn(x: int) -> int:
        return x

    def wrapping(inner: Callable[[int], int]) -> Callable[[int], int]:
        def outer(x: int) -> int:
            return inner(x)

        outer.__wrapped__ = inner  # type: ignore[attr-defined]  # what some decorators set by hand
        return outer

    partial = functools.partial(fn, 1)
    assert tags_of(partial, "GET") == ("money",)
    assert tags_of(tag("more")(functools.partial(handler)), "GET") == ("more",)
    assert tags_of(functools.wraps(fn)(lambda x: x), "GET") == ("money",)
    assert tags_of(wrapping(fn), "GET") == ("money",)
    assert tags_of(View().post, "POST") == ("money",)


def test_a_tag_on_a_bound_method_is_a_tag_on_its_function() -> None:
    """A bound method cannot carry a mark itself."""

    class Page:
        def get(self) -> None:
            """Untagged."""

    tag("bound")(Page().get)
    assert tags_of(Page, "GET") == ("bound",)


def test_tag_and_track_can_be_stacked_either_way() -> None:
    """The mark is seen through `track`."""

    def fn() -> None:
        """Nothing."""

    assert tags_of(track("money")(tag("a")(fn)), "GET") == ("a",)
    assert tags_of(tag("b")(track("money")(handler)), "GET") == ("b",)


def test_a_wrapper_that_wraps_itself_ends_the_search() -> None:
    """A cycle of `__wrapped__` is no endless loop."""

    def fn() -> None:
        """Nothing."""

    fn.__wrapped__ = fn  # type: ignore[attr-defined]  # the mistake under test
    assert tags_of(fn, "GET") == ()


def test_what_cannot_carry_a_mark_is_refused() -> None:
    """Built-in functions and forgotten names are mistakes of the set-up."""
    with pytest.raises(ConfigurationError, match="Python function"):
        tag("money")(len)
    for names in ((), ("",), (handler,)):
        with pytest.raises(ConfigurationError, match="tag needs names"):
            tag(*names)
