"""What the allocator itself counts, by the memory events of torch's profiler."""

from torch.profiler import ProfilerActivity, profile


def allocated_bytes(run):
    """Call ``run``; return what it returned and the bytes it had at most."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        returned = run()
    now = most = 0
    for event in record.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return returned, most
