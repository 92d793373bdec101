"""Flows: every step of a request written once, for both colours.

A flow is an ``async def`` that awaits steps (``hook``, ``call``, ``blocking``, ``attribute``) and other flows, and
nothing else. It knows no event loop and no thread; one of two drivers takes its steps:

``run``
    the sync driver: takes each step where it stands;
``arun``
    the async driver: takes async steps on the event loop and, from the first blocking one on, drives the flow itself
    in the worker thread, until the flow ends or needs the loop again.

This package is the only place that decides where code runs. Users need one name of it, ``nonblocking``.
"""

from restflow.flow.bridges import bridged, dual, never_awaits, result_of
from restflow.flow.drivers import arun, is_marked_async, marked_async, on_loop, run
from restflow.flow.functions import gives_coroutine, is_coroutine_function, may_give_coroutine
from restflow.flow.resolution import (
    Descriptor,
    Usual,
    at_first_use,
    flow_of,
    is_async,
    is_computed,
    is_generated,
    learn_flow,
    learn_new_flow,
    look_at,
    never_blocks,
    nonblocking,
    overridden,
    remember,
    stand_in,
    take_into_use,
)
from restflow.flow.steps import ask, asked, attribute, awaited, blocking, call, hook, may_block_here, truth
from restflow.flow.twins import (
    TwoColoured,
    async_twin,
    asynchronous,
    either,
    give_twins,
    insist_on_awaited,
    must_be_awaited,
    parent,
    sync,
    twin,
)
from restflow.flow.unchanged import unchanged
from restflow.flow.watch import Begun, watched
from restflow.flow.worker import forget_request, provide, withdraw
from restflow.flow.workers import Limits, Overloaded, Workers, in_any_thread, last_call

__all__ = [
    "Begun",
    "Descriptor",
    "Limits",
    "Overloaded",
    "TwoColoured",
    "Usual",
    "Workers",
    "arun",
    "ask",
    "asked",
    "async_twin",
    "asynchronous",
    "at_first_use",
    "attribute",
    "awaited",
    "blocking",
    "bridged",
    "call",
    "dual",
    "either",
    "flow_of",
    "forget_request",
    "give_twins",
    "gives_coroutine",
    "hook",
    "in_any_thread",
    "insist_on_awaited",
    "is_async",
    "is_computed",
    "is_coroutine_function",
    "is_generated",
    "is_marked_async",
    "last_call",
    "learn_flow",
    "learn_new_flow",
    "look_at",
    "marked_async",
    "may_block_here",
    "may_give_coroutine",
    "must_be_awaited",
    "never_awaits",
    "never_blocks",
    "nonblocking",
    "on_loop",
    "overridden",
    "parent",
    "provide",
    "remember",
    "result_of",
    "run",
    "stand_in",
    "sync",
    "take_into_use",
    "truth",
    "twin",
    "unchanged",
    "watched",
    "withdraw",
]
