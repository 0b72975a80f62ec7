# Python 2: Autobahn's wstest, started as a fuzzing server on a free port of the loopback interface.
# wstest itself can't be told an interface, and listens on all of them.
#
#   fuzzing_server.py list             prints the ids of all cases, one a line
#   fuzzing_server.py SPEC PORT-FILE   serves the cases of SPEC, writes its port to PORT-FILE
import os
import sys

from autobahntestsuite import case, caseset, fuzzing, wstest


def listen(factory, context_factory=None):
    from twisted.internet import reactor
    listener = reactor.listenTCP(0, factory, interface="127.0.0.1")
    # The handshake compares the Host field with this.
    factory.port = factory.externalPort = listener.getHost().port
    with open(port_file + ".new", "w") as output:
        output.write("%d\n" % factory.port)
    os.rename(port_file + ".new", port_file)
    return listener


if sys.argv[1] == "list":
    cases = caseset.CaseSet(
        case.CaseSetname, case.CaseBasename, case.Cases,
        case.CaseCategories, case.CaseSubCategories)
    for name in cases.parseSpecCases({"cases": ["*"]}):
        print(name)
else:
    spec, port_file = sys.argv[1:]
    fuzzing.listenWS = listen
    sys.argv = ["wstest", "--mode", "fuzzingserver", "--webport", "0", "--spec", spec]
    wstest.run()
