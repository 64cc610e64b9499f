"""What `--target` and `--exclude` leave out cannot lose its provider."""

from kit import Acme, Options, Thing, step

if step == 2:
    y = Thing("y")
    Thing("z", value=y.token)
else:
    p = Acme("p", region="a") if step == 0 else None
    q = Acme("q", region="b")
    Thing("x", opts=Options(provider=p or q))
    y = Thing("y", opts=Options(provider=q))
    Thing("z", value=y.token, opts=Options(provider=p or q))
