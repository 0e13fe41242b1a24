# SPDX-License-Identifier: Apache-2.0
# needs: python h2spec
"""h2spec, a conformance test of HTTP/2 and HPACK, against the ports of `kaiju ingest`: every case
passes on both, and the program is well afterwards."""
import os
import subprocess
import unittest
import xml.etree.ElementTree as xml

from peer import PeerCase

H2SPEC = os.path.join(os.environ["PEERS_DIR"], "bin", "h2spec")


class H2spec(PeerCase):
    def check(self, *args):
        kaiju = self.start()
        for addr in (kaiju.grpc, kaiju.http):
            self.check_port(addr, *args)
        self.assertEqual(kaiju.get("/healthz"), "ok\n")
        self.assertEqual(kaiju.stop(), 0)

    def check_port(self, addr, *args):
        host, port = addr.rsplit(":", 1)
        report = os.path.join(self.temp.name, "report.xml")
        done = subprocess.run([H2SPEC, "-h", host, "-p", port, "-o", "3", "-j", report, *args],
                              capture_output=True, text=True, timeout=300, check=False)
        cases = xml.parse(report).getroot().findall(".//testcase")
        failed = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
        self.assertGreaterEqual(len(cases), 140, done.stderr)
        self.assertEqual([c.get("classname") for c in failed], [], done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout)
        print(f"{len(cases)} cases passed")

    def test_all(self):
        self.check()

    def test_all_and_what_should_be(self):
        self.check("--strict")


if __name__ == "__main__":
    unittest.main(verbosity=2)
