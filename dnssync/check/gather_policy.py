"""MTA-STS policies over HTTPS, as senders fetch them (RFC 8461 §3.3): the certificate is verified, no redirect is followed."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from dnssync.check.facts import Failed, unanswered
from dnssync.check.gather import Sources
from dnssync.check.mta_sts import Fetched, Policy
from dnssync.core.model import zone_of
from dnssync.core.sighting import Question

PORT = 443
TIMEOUT = 10.0  # seconds for one policy, all in all
LARGEST = 64 * 1024  # octets
WORKERS = 16
ALL = 120.0  # seconds for all policies of a round
SILENT = 3  # time-outs at an address, after which it is left alone


def fetch(wishes: Sequence[Policy], sources: Sources) -> Mapping[Policy, Fetched | Failed]:
    """The policy of each domain, some at a time; the addresses come from DNS, in one look."""
    questions = {
        (wish, kind): Question(name := f"mta-sts.{wish.domain}", kind, zone_of(name, sources.config.zones) or "")
        for wish in wishes
        for kind in ("A", "AAAA")
    }
    answers = sources.resolver.look(dict.fromkeys(questions.values()))
    context = _context(sources.trust)
    silent: dict[str, int] = {}
    end = time.monotonic() + ALL

    def one(wish: Policy) -> Fetched | Failed:
        both = [answers[questions[wish, kind]] for kind in ("A", "AAAA")]
        ips = [text for answer in both if answer.known for text in answer.texts]
        unknown = [answer for answer in both if not answer.known]
        if not ips and unknown:
            return Failed(unanswered(unknown[0]))
        if not ips:
            return Fetched(trouble=f"mta-sts.{wish.domain} has no address")
        if time.monotonic() > end:
            return Failed(f"the policy of {wish.domain} was not fetched: too many answered too slowly")
        return _policy(wish.domain, ips, sources, context, silent)

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="policy") as pool:
        return dict(zip(wishes, pool.map(one, wishes), strict=True))


def _context(trust: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trust.get("cafile"):
        context.load_verify_locations(str(trust["cafile"]))
    return context


def _policy(
    domain: str, ips: Sequence[str], sources: Sources, context: ssl.SSLContext, silent: dict[str, int]
) -> Fetched | Failed:
    """From the first address that takes the connection, as senders do it. Where none does, or none answers in time, that may be our own
    network's fault: not known. One that refuses is none, if no other takes it."""
    troubles = []
    refused: Fetched | None = None
    end = time.monotonic() + TIMEOUT
    for ip in ips:
        left = end - time.monotonic()
        if silent.get(ip, 0) >= SILENT or left <= 0:
            troubles.append(f"{ip}: no answer within {TIMEOUT:g} seconds")
            continue
        try:
            sock = sources.connect(ip, PORT, left)
        except TimeoutError:
            silent[ip] = silent.get(ip, 0) + 1
            troubles.append(f"{ip}: no answer within {TIMEOUT:g} seconds")
            continue
        except ConnectionRefusedError:
            refused = refused or Fetched(trouble=f"{ip} refuses the connection", ip=ip, here=sources.here(ip))
            continue
        except OSError as error:
            troubles.append(f"{ip}: {error.strerror or error}")
            continue
        came = _get(domain, ip, sock, context, max(end - time.monotonic(), 0.1))
        if isinstance(came, Failed):
            return came
        return replace(came, ip=ip, here=sources.here(ip)) if came.trouble else came
    return refused or Failed(f"the policy of {domain} could not be fetched from here ({'; '.join(troubles)})")


def _get(domain: str, ip: str, sock: socket.socket, context: ssl.SSLContext, seconds: float) -> Fetched | Failed:
    host = f"mta-sts.{domain}"
    line = sock.dup()  # TLS takes the socket over
    began = time.monotonic()
    watch = threading.Timer(seconds, _hang_up, [line])
    watch.daemon = True
    watch.start()
    try:
        sock.settimeout(seconds)
        with context.wrap_socket(sock, server_hostname=host) as session:
            talk = http.client.HTTPConnection(host)
            talk.sock = session
            talk.request("GET", "/.well-known/mta-sts.txt", headers={"User-Agent": "dnssync", "Connection": "close"})
            return _read(talk.getresponse())
    except ssl.SSLCertVerificationError as error:
        return Fetched(trouble=f"its certificate is not valid ({(error.verify_message or str(error)).rstrip('.')})")
    except (OSError, ValueError, http.client.HTTPException) as error:
        if time.monotonic() - began >= seconds:
            return Failed(
                f"the policy of {domain} could not be fetched from here: {ip} did not answer within {TIMEOUT:g} seconds"
            )
        return Fetched(trouble=f"{ip} broke off: {getattr(error, 'reason', None) or error or type(error).__name__}")
    finally:
        watch.cancel()
        line.close()
        sock.close()


def _hang_up(sock: socket.socket) -> None:
    """However slowly it trickles, there is an end."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _read(response: http.client.HTTPResponse) -> Fetched:
    if response.status != 200:
        where = response.getheader("Location")
        return Fetched(trouble=f"HTTP status {response.status}{f', a redirect to {where[:200]}' if where else ''}")
    octets = response.read(LARGEST + 1)
    if len(octets) > LARGEST:
        return Fetched(trouble=f"it is longer than {LARGEST // 1024} kB")
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    return Fetched(octets.decode("utf-8", "replace"), type=kind)
