"""The kinds of trouble that RFC 4475 lists, one message for each of its sections, worded here anew.

Each is known by the RFC's own short name. What is expected is what a user agent that conducts calls owes: an
endpoint that answers INVITE and OPTIONS, but is neither registrar nor proxy. Where pjproject is more lenient,
and no harm comes of it, its answer stands beside as tolerated.
"""

from __future__ import annotations

from tests.integration.torture import LONG, SDP, SILENCE, UNANSWERED, Torture, request, response

PARTS = (
    "--border\nContent-Type: application/sdp\n\n"
    + SDP
    + "\n--border\nContent-Type: application/octet-stream\n"
    "Content-Transfer-Encoding: binary\n\n\u0001\u0002 \u00ff\n--border--\n"
)
FOLDED = (
    "INVITE sip:busy@127.0.0.1;unknown=param SIP/2.0\n"
    'TO :\n  sip:busy@127.0.0.1 ;   odd  = "a \\\\ \\" b"\n'
    'from   : "J Rosenberg \\\\\\""   <sip:torture@127.0.0.1>\n  ;\n  tag = MARK\n'
    "MaX-fOrWaRdS: 0068\nCall-ID: MARK@torture\n"
    "cseq: 0009\n  INVITE\n"
    "Via  : SIP  /   2.0\n /UDP\n    127.0.0.1:5099;branch=z9hG4bKMARK;rport\n"
    "s :\nNewFangledHeader:   newfangled value\n continued newfangled value\n"
    "Content-Type: application/sdp\nRoute:\n <sip:127.0.0.1;lr;unknown>\n"
    'm:"Quoted string \\"\\"" <sip:torture@127.0.0.1> ; newparam =\n newvalue ;\n  secondparam ; q = 0.33\n'
    "l: LENGTH\n\n" + SDP
)

CASES: dict[str, Torture] = {
    # valid, 3.1.1
    "wsinv": Torture("3.1.1.1 white space and folding everywhere", FOLDED, (486,)),
    "intmeth": Torture(
        "3.1.1.2 every character that a method may have",
        request("!interesting-Method0123456789_*+`.%indeed'~ sip:busy@127.0.0.1 SIP/2.0"),
        (405, 501),
        UNANSWERED,
    ),
    "esc01": Torture(
        "3.1.1.3 escapes that hide an @",
        request("INVITE sip:sips%3Abusy%40example.com@127.0.0.1 SIP/2.0", body=SDP),
        (200, 404, 486),
    ),
    "escnull": Torture(
        "3.1.1.4 escaped NULs",
        request("REGISTER sip:127.0.0.1 SIP/2.0", "To: <sip:null-%00-null@127.0.0.1>"),
        (405, 501),
        UNANSWERED,
    ),
    "esc02": Torture(
        "3.1.1.5 a percent sign that escapes nothing",
        request("RE%47IST%45R sip:busy@127.0.0.1 SIP/2.0"),
        (405, 501),
        UNANSWERED,
    ),
    "lwsdisp": Torture(
        "3.1.1.6 no space before <",
        request("OPTIONS sip:busy@127.0.0.1 SIP/2.0", "From: caller<sip:torture@127.0.0.1>;tag=MARK"),
        (200,),
    ),
    "longreq": Torture(
        "3.1.1.7 long values",
        request(
            "INVITE sip:busy@127.0.0.1 SIP/2.0",
            f'To: "I have a user name of {LONG}" <sip:busy@127.0.0.1;{LONG}={LONG}>',
            f"From: <sip:{LONG}@127.0.0.1>;tag=MARK;{LONG}={LONG}",
            f"Unknown-{LONG}: {LONG}",
            f"Call-ID: MARK{LONG}",
            body=SDP,
        ),
        (486,),
    ),
    "dblreq": Torture(
        "3.1.1.8 a second request behind the first",
        request("OPTIONS sip:busy@127.0.0.1 SIP/2.0").replace("LENGTH", "0")
        + request("INVITE sip:talks@127.0.0.1 SIP/2.0", "Call-ID: behind@torture").replace("LENGTH", "0"),
        (200,),
    ),
    "semiuri": Torture(
        "3.1.1.9 semicolons in the user part",
        request("OPTIONS sip:busy;par=u%40example.net@127.0.0.1 SIP/2.0"),
        (200,),
    ),
    "transports": Torture(
        "3.1.1.10 transports of all kinds behind the first Via",
        request(
            "OPTIONS sip:busy@127.0.0.1 SIP/2.0",
            "Via: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bKMARK;rport",
            *(
                f"Via: SIP/2.0/{kind} t{kind.lower()}.example.com;branch=z9hG4bKx"
                for kind in ("SCTP", "TLS", "UNKNOWN")
            ),
        ),
        (200,),
    ),
    "mpart01": Torture(
        "3.1.1.11 a body of parts",
        request(
            "INVITE sip:busy@127.0.0.1 SIP/2.0", "Content-Type: multipart/mixed;boundary=border", body=PARTS
        ),
        (486,),
    ),
    "unreason": Torture(
        "3.1.1.12 a reason in Cyrillic",
        response("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое"),
        (SILENCE,),
    ),
    "noreason": Torture("3.1.1.13 no reason", response("SIP/2.0 100 "), (SILENCE,)),
    # invalid, 3.1.2
    "badinv01": Torture(
        "3.1.2.1 separators without anything between",
        request(
            "INVITE sip:busy@127.0.0.1 SIP/2.0",
            'Contact: "Joe" <sip:joe@127.0.0.1>;;;;',
            "Via: SIP/2.0/UDP 127.0.0.1:5099;rport;branch=z9hG4bKMARK;;,;,,",
            body=SDP,
        ),
        (400, SILENCE),
    ),
    "clerr": Torture(
        "3.1.2.2 a length beyond the datagram",
        request("INVITE sip:busy@127.0.0.1 SIP/2.0", "Content-Length: 9999", body=SDP),
        (400, SILENCE),
        (486,),
    ),
    "ncl": Torture(
        "3.1.2.3 a negative length",
        request("INVITE sip:busy@127.0.0.1 SIP/2.0", "Content-Length: -999", body=SDP),
        (400, SILENCE),
    ),
    "scalar02": Torture(
        "3.1.2.4 numbers beyond all bounds",
        request(
            "REGISTER sip:127.0.0.1 SIP/2.0",
            "CSeq: 36893488147419103232 REGISTER",
            "Max-Forwards: 300",
            "Expires: 1" + "0" * 60,
            "Contact: <sip:torture@127.0.0.1>;expires=280297596632815",
        ),
        (400, 405, SILENCE),
    ),
    "scalarlg": Torture(
        "3.1.2.5 the same in an answer",
        response(
            "SIP/2.0 503 Service Unavailable",
            "CSeq: 9292394834772304023312 OPTIONS",
            "Retry-After: 949302838503028349304023988",
            'Warning: 1812 overture "In Progress"',
        ),
        (SILENCE,),
    ),
    "quotbal": Torture(
        "3.1.2.6 a quote that is not closed",
        request("INVITE sip:busy@127.0.0.1 SIP/2.0", 'To: "Mr. J. User <sip:busy@127.0.0.1>', body=SDP),
        (400, SILENCE),
    ),
    "ltgtruri": Torture(
        "3.1.2.7 < > around the request's URI",
        request("INVITE <sip:busy@127.0.0.1> SIP/2.0", body=SDP),
        (400, SILENCE),
    ),
    "lwsruri": Torture(
        "3.1.2.8 a space inside the request's URI",
        request("INVITE sip:busy@127.0.0.1; lr SIP/2.0", body=SDP),
        (400, SILENCE),
    ),
    "lwsstart": Torture(
        "3.1.2.9 too many spaces in the first line",
        request("INVITE  sip:busy@127.0.0.1  SIP/2.0", body=SDP),
        (400, 486, SILENCE),
        (200,),
    ),
    "trws": Torture(
        "3.1.2.10 spaces behind the first line",
        request("OPTIONS sip:busy@127.0.0.1 SIP/2.0  "),
        (200, 400, SILENCE),
    ),
    "escruri": Torture(
        "3.1.2.11 headers in the request's URI",
        request("INVITE sip:busy@127.0.0.1?Route=%3Csip:example.com%3E SIP/2.0", body=SDP),
        (400, 486, SILENCE),
    ),
    "baddate": Torture(
        "3.1.2.12 a date in another zone than GMT",
        request("INVITE sip:busy@127.0.0.1 SIP/2.0", "Date: Fri, 01 Jan 2010 16:00:00 EST", body=SDP),
        (400, 486),
    ),
    "regbadct": Torture(
        "3.1.2.13 a contact with headers and no < >",
        request(
            "REGISTER sip:127.0.0.1 SIP/2.0", "Contact: sip:torture@127.0.0.1?Route=%3Csip:sip.example.com%3E"
        ),
        (400, 405, 501, SILENCE),
    ),
    "badaspec": Torture(
        "3.1.2.14 spaces inside < >",
        request("OPTIONS sip:busy@127.0.0.1 SIP/2.0", 'To: "Watson, Thomas" < sip:busy@127.0.0.1 >'),
        (200, 400, SILENCE),
    ),
    "baddn": Torture(
        "3.1.2.15 a comma in a name without quotes",
        request(
            "OPTIONS sip:busy@127.0.0.1 SIP/2.0", "From: Bell, Alexander <sip:torture@127.0.0.1>;tag=MARK"
        ),
        (200, 400, SILENCE),
    ),
    "badvers": Torture(
        "3.1.2.16 another version",
        request(
            "OPTIONS sip:busy@127.0.0.1 SIP/7.0", via="SIP/7.0/UDP 127.0.0.1:5099;branch=z9hG4bKMARK;rport"
        ),
        (505, SILENCE),
    ),
    "mismatch01": Torture(
        "3.1.2.17 CSeq names another method",
        request("OPTIONS sip:busy@127.0.0.1 SIP/2.0", method="INVITE"),
        (400, 200, SILENCE),
    ),
    "mismatch02": Torture(
        "3.1.2.18 the same with a method that nobody knows",
        request("NEWMETHOD sip:busy@127.0.0.1 SIP/2.0", method="INVITE"),
        (400, 405, 501, SILENCE),
    ),
    "bigcode": Torture(
        "3.1.2.19 a status beyond 32 bits",
        response("SIP/2.0 4294967301 better not break the receiver"),
        (SILENCE,),
    ),
    # transactions, 3.2
    "badbranch": Torture(
        "3.2.1 a branch that is only its mark",
        request("OPTIONS sip:busy@127.0.0.1 SIP/2.0", via="SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK;rport"),
        (200, 400),
    ),
    # what the application must see, 3.3
    "insuf": Torture(
        "3.3.1 what a request needs is missing",
        request("INVITE sip:busy@127.0.0.1 SIP/2.0", without=("Call-ID", "From", "To"), body=SDP),
        (400, SILENCE),
    ),
    "unkscm": Torture(
        "3.3.2 a scheme that nobody knows",
        request("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"),
        (416, SILENCE),
    ),
    "novelsc": Torture(
        "3.3.3 a scheme that is none of ours",
        request("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
        (416, SILENCE),
    ),
    "unksm2": Torture(
        "3.3.4 such schemes in headers",
        request(
            "REGISTER sip:127.0.0.1 SIP/2.0",
            "To: isbn:2983792873",
            "From: <http://www.example.com>;tag=MARK",
            "Contact: <name:John_Smith>",
        ),
        (400, 405, 501, SILENCE),
    ),
    "bext01": Torture(
        "3.3.5 extensions that are required",
        request(
            "INVITE sip:busy@127.0.0.1 SIP/2.0",
            "Require: nothingSupportsThis, nothingSupportsThisEither",
            "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis",
            body=SDP,
        ),
        (420,),
    ),
    "invut": Torture(
        "3.3.6 a body of an unknown kind",
        request(
            "INVITE sip:busy@127.0.0.1 SIP/2.0",
            "Content-Type: application/unknownformat",
            body="<audio>\n <pcmu port='443'/>\n</audio>\n",
        ),
        (415,),
    ),
    "regaut01": Torture(
        "3.3.7 a way of signing in that nobody knows",
        request("REGISTER sip:127.0.0.1 SIP/2.0", "Authorization: NoOneKnowsThisScheme opaque-data=here"),
        (401, 405, 501),
        UNANSWERED,
    ),
    "multi01": Torture(
        "3.3.8 two of what there is one of",
        request(
            "INVITE sip:busy@127.0.0.1 SIP/2.0",
            "CSeq: 5 INVITE",
            "CSeq: 59 INVITE",
            "Call-ID: MARK@torture",
            "Call-ID: other@torture",
            "From: <sip:torture@127.0.0.1>;tag=MARK",
            "From: <sip:someone@127.0.0.1>;tag=1",
            "Max-Forwards: 70",
            "Max-Forwards: 5",
            body=SDP,
        ),
        (400, 486, SILENCE),
    ),
    "mcl01": Torture(
        "3.3.9 two lengths",
        request(
            "OPTIONS sip:busy@127.0.0.1 SIP/2.0",
            "Content-Length: 13",
            "Content-Length: 5",
            body="there's no way to know",
        ),
        (200, 400, SILENCE),
    ),
    "bcast": Torture(
        "3.3.10 an answer for everybody",
        response("SIP/2.0 200 OK", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKx", "CSeq: 1 INVITE"),
        (SILENCE,),
    ),
    "zeromf": Torture(
        "3.3.11 no hops left", request("OPTIONS sip:busy@127.0.0.1 SIP/2.0", "Max-Forwards: 0"), (200, 483)
    ),
    "cparam01": Torture(
        "3.3.12 a parameter of a contact",
        request("REGISTER sip:127.0.0.1 SIP/2.0", "Contact: sip:+19725552222@gw1.example.net;unknownparam"),
        (405, 501),
        UNANSWERED,
    ),
    "cparam02": Torture(
        "3.3.13 a parameter of a contact's URI",
        request("REGISTER sip:127.0.0.1 SIP/2.0", "Contact: <sip:+19725552222@gw1.example.net;unknownparam>"),
        (405, 501),
        UNANSWERED,
    ),
    "regescrt": Torture(
        "3.3.14 headers in a contact's URI",
        request(
            "REGISTER sip:127.0.0.1 SIP/2.0", "Contact: <sip:user@127.0.0.1?Route=%3Csip:sip.example.com%3E>"
        ),
        (400, 405, 501),
        UNANSWERED,
    ),
    "sdp01": Torture(
        "3.3.15 no answer of ours is acceptable",
        request("INVITE sip:busy@127.0.0.1 SIP/2.0", "Accept: text/nobodyKnowsThis", body=SDP),
        (406, 486),
    ),
    # of before RFC 3261, 3.4
    "inv2543": Torture(
        "3.4.1 an INVITE of RFC 2543",
        request(
            "INVITE sip:busy@127.0.0.1 SIP/2.0",
            "From: <sip:torture@127.0.0.1>",
            without=("Max-Forwards",),
            via="SIP/2.0/UDP 127.0.0.1:5099;rport",
            body=SDP,
        ),
        (486,),
    ),
}
