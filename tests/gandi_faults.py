"""The bodies of Gandi's errors."""

from __future__ import annotations

from tests.http_faults import Answer

UNAUTHORIZED = {
    "code": 401,
    "message": "The server could not verify that you authorized to access the document you requested. Either you supplied the "
    "wrong credentials (e.g., bad api key), or your access token has expired",
    "object": "HTTPUnauthorized",
    "cause": "Unauthorized",
}
FORBIDDEN = {
    "code": 403,
    "message": "Access was denied to this resource.",
    "object": "HTTPForbidden",
    "cause": "Forbidden",
}
NOT_FOUND = {"code": 404, "message": "The resource could not be found.", "object": "HTTPNotFound", "cause": "Not Found"}
TOO_MANY = {"code": 429, "message": "Too many requests.", "object": "HTTPTooManyRequests", "cause": "Too Many Requests"}
DNS_RECORD = {"code": 404, "message": "", "object": "dns-record", "cause": "Not Found"}
ERRED = {"code": 500, "message": "The server has either erred or is incapable of performing the requested operation."}


def invalid(words: str, *, message: bool = False) -> Answer:
    """A validation error; it has no `message` and no `code`, but where a name is absolute."""
    if message:
        return Answer(400, {"code": 400, "message": words, "object": "HTTPBadRequest", "cause": "Bad Request"})
    return Answer(400, {"status": "error", "errors": [{"location": "body", "name": "items", "description": words}]})
