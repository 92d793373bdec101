"""Flows: every step of a request written once, for both colours.

A flow is an ``async def`` that awaits steps (``hook``, ``call``, ``blocking``, ``attribute``) and other flows, and
nothing else. It knows no event loop and no thread; one of two drivers takes its steps:

``run``
    the sync driver: takes each step where it stands;
``arun``
    the async driver: takes async steps on the event loop and, from the first blocking one on, drives the flow itself
    in the worker thread, until the flow ends or needs the loop again.

This package is the only place that decides where code runs. Users need one name of it, ``nonblocking``. To read it,
begin with ``steps`` and ``drivers``; then ``resolution`` and ``plan`` say which code a hook means, ``natures`` how that
is called, and ``twins`` what classes are given so that plain Python means the same.
"""

from restflow.flow.bridges import callable_from_sync, called, dual, never_awaits, result_of
from restflow.flow.drivers import arun, is_marked_async, marked_async, on_loop, run, without_fail
from restflow.flow.faces import asynchronous, sync, sync_or_async
from restflow.flow.functions import gives_coroutine, is_coroutine_function, may_give_coroutine
from restflow.flow.lease import last_call
from restflow.flow.natures import Descriptor, always, flow_of, learn, never_blocks, nonblocking, stand_in
from restflow.flow.pending import insist_on_awaited, must_be_awaited
from restflow.flow.plan import Unmodified, at_first_use, is_overridden, is_written_async, look_at, plan_of
from restflow.flow.pool import Limits, Overloaded, Workers
from restflow.flow.remembered import keep, remembered
from restflow.flow.resolution import held, is_generated
from restflow.flow.steps import asked, attribute, awaited, blocking, call, hook, may_block_here, truth
from restflow.flow.thread import forget_request, provide, withdraw
from restflow.flow.twins import TwoColoured, async_twin, give_twins, twin
from restflow.flow.unchanged import unchanged
from restflow.flow.versions import fast_version_of, has_fast_version, switch_fast_versions_by
from restflow.flow.watch import Begun, watched

__all__ = [
    "Begun",
    "Descriptor",
    "Limits",
    "Overloaded",
    "TwoColoured",
    "Unmodified",
    "Workers",
    "always",
    "arun",
    "asked",
    "async_twin",
    "asynchronous",
    "at_first_use",
    "attribute",
    "awaited",
    "blocking",
    "call",
    "callable_from_sync",
    "called",
    "dual",
    "fast_version_of",
    "flow_of",
    "forget_request",
    "give_twins",
    "gives_coroutine",
    "has_fast_version",
    "held",
    "hook",
    "insist_on_awaited",
    "is_coroutine_function",
    "is_generated",
    "is_marked_async",
    "is_overridden",
    "is_written_async",
    "keep",
    "last_call",
    "learn",
    "look_at",
    "marked_async",
    "may_block_here",
    "may_give_coroutine",
    "must_be_awaited",
    "never_awaits",
    "never_blocks",
    "nonblocking",
    "on_loop",
    "plan_of",
    "provide",
    "remembered",
    "result_of",
    "run",
    "stand_in",
    "switch_fast_versions_by",
    "sync",
    "sync_or_async",
    "truth",
    "twin",
    "unchanged",
    "watched",
    "withdraw",
    "without_fail",
]
__dir__ = __all__.copy
