"""What the tap assumes about Index Exchange's API, and how to find out."""

from __future__ import annotations

import typing as t

from tap_auditlogs.doctor.assumptions import DONE_BEFORE, Assumption, Reading, never_observable
from tap_auditlogs.vendors.index_exchange.probes import Probes

_AUTH: t.Final = "tap_auditlogs.vendors.index_exchange.auth"
_COLUMNS: t.Final = "tap_auditlogs.vendors.index_exchange.columns"
_LISTING: t.Final = "tap_auditlogs.vendors.index_exchange.listing"
_MAPPINGS: t.Final = "tap_auditlogs.vendors.index_exchange.mappings"
_LISTS: t.Final = "The lists of files"
_ONE_FILE: t.Final = "One file of each event type, at most 4 MiB of it"


class Doctor(Probes):
    """Asks Index Exchange."""

    assumptions = (
        Assumption(
            id="index-exchange-01",
            sentence="A list is complete: there are no pages.",
            relied_on=f"{_LISTING}:read_listing",
            request=_LISTS,
            confirmed=Reading("no sign of more", "reads what is listed"),
            contradicted=Reading(
                "a key like `next`, or a higher `count`",
                "stops with an error for that list; the others are read",
            ),
            unseen="no list could be requested",
            probe=Probes.probe_complete,
        ),
        Assumption(
            id="index-exchange-02",
            sentence="`count` of the list of bid files counts hours.",
            relied_on=f"{_LISTING}:read_listing",
            request=_LISTS,
            confirmed=Reading("hours", "takes either number as complete"),
            contradicted=Reading(
                "parts",
                "takes either number as complete",
            ),
            unseen="bid files are not configured, or have one part each",
            probe=Probes.probe_count,
        ),
        Assumption(
            id="index-exchange-03",
            sentence="Bid files are listed at `/downloads/bidevents`.",
            relied_on=f"{_LISTING}:PATHS",
            request="The list of bid files",
            confirmed=Reading("answered", "asks there, if `event_types` has `bids`"),
            contradicted=Reading(
                "HTTP 404 or the like",
                "stops with an error for that list; the others are read",
            ),
            unseen="it may not be read",
            probe=Probes.probe_bids_path,
        ),
        Assumption(
            id="index-exchange-04",
            sentence="Every file has `downloadURL` and `md5sum`; all else may be missing.",
            relied_on=f"{_LISTING}:read_listing",
            request=_LISTS,
            confirmed=Reading("as assumed", "reads the files"),
            contradicted=Reading(
                "some have not",
                "leaves these entries for the next run, with an error; the others are read",
            ),
            unseen="no file is listed",
            probe=Probes.probe_entries,
        ),
        Assumption(
            id="index-exchange-05",
            sentence="`md5sum` is that of the gzip file as sent.",
            relied_on="tap_auditlogs.vendors.index_exchange.download:Downloader",
            request=_ONE_FILE,
            confirmed=Reading("equal", "passes on verified bytes only"),
            contradicted=Reading(
                "it differs",
                "tries three times; then leaves that file for the next run, with an error; the others are read",
            ),
            unseen="the file is larger than that",
            probe=Probes.probe_md5,
        ),
        Assumption(
            id="index-exchange-06",
            sentence="`hour` is a whole hour with `Z`.",
            relied_on=f"{_LISTING}:read_listing",
            request=_LISTS,
            confirmed=Reading("as assumed", "takes it as the key"),
            contradicted=Reading(
                "something else",
                "leaves entries with other than a whole hour for the next run, with an error",
            ),
            unseen="no file is listed",
            probe=Probes.probe_hours,
        ),
        Assumption(
            id="index-exchange-07",
            sentence="Files are on the host of the API.",
            relied_on="tap_auditlogs.vendors.index_exchange.transport:is_own",
            request=_LISTS,
            confirmed=Reading("as assumed", "sends the token there"),
            contradicted=Reading(
                "on another host",
                "asks public hosts without the token, over https; any other is an error for its file",
            ),
            unseen="no file is listed",
            probe=Probes.probe_own_host,
        ),
        Assumption(
            id="index-exchange-08",
            sentence="Files have `downloadStatus`; the vendor's table says `downloadStats`.",
            relied_on=f"{_LISTING}:read_listing",
            request=_LISTS,
            confirmed=Reading("`downloadStatus`", "keeps it"),
            contradicted=Reading(
                "`downloadStats`",
                "keeps it under the same name",
            ),
            unseen="no file has either",
            probe=Probes.probe_status_name,
        ),
        Assumption(
            id="index-exchange-09",
            sentence="The 14 days that files are kept begin with their hour.",
            relied_on="tap_auditlogs.vendors.index_exchange.manifest:RETENTION",
            request=_LISTS,
            confirmed=Reading(
                "`expires` says so", "remembers files for as long as they are listed, and for 14 days and 36 hours"
            ),
            contradicted=Reading(
                "another time",
                "remembers files for as long as they are listed, and for 14 days and 36 hours",
            ),
            unseen="no file has `expires`",
            probe=Probes.probe_expiry,
        ),
        Assumption(
            id="index-exchange-10",
            sentence="Files are CSV with commas and usual quotes, in UTF-8.",
            relied_on="tap_auditlogs.vendors.index_exchange.log_file:LogFile",
            request=_ONE_FILE,
            confirmed=Reading("it can be read", "reads them"),
            contradicted=Reading(
                "it cannot",
                "leaves that file for the next run, with an error; the others are read",
            ),
            unseen="no file is listed",
            probe=Probes.probe_csv,
        ),
        Assumption(
            id="index-exchange-11",
            sentence="Impression files have the columns of the vendor's list and a third-party client.",
            relied_on=f"{_COLUMNS}:COLUMNS",
            request=_ONE_FILE,
            confirmed=Reading("these", "has a column for each"),
            contradicted=Reading(
                "others, or some are missing",
                "keeps others in `additional_properties`; missing ones are null",
            ),
            unseen="no file could be read",
            probe=Probes.probe_impression_columns,
        ),
        Assumption(
            id="index-exchange-12",
            sentence="Bid files have those columns and `bid_stage`.",
            relied_on=f"{_COLUMNS}:BID_COLUMNS",
            request=_ONE_FILE,
            confirmed=Reading("these", "has a column for each"),
            contradicted=Reading(
                "others, or some are missing",
                "keeps others in `additional_properties`; missing ones are null",
            ),
            unseen="no bid file could be read",
            probe=Probes.probe_bid_columns,
        ),
        Assumption(
            id="index-exchange-13",
            sentence="`timestamp` is in UTC.",
            relied_on=f"{_COLUMNS}:COLUMNS",
            request=_ONE_FILE,
            confirmed=Reading("all rows lie in the hour of their file", "takes it as UTC"),
            contradicted=Reading(
                "some do not",
                "keeps every row, with what is no time in `additional_properties`",
            ),
            unseen="no row could be read",
            probe=Probes.probe_times,
        ),
        Assumption(
            id="index-exchange-14",
            sentence="Mappings have the keys that a third-party client shows.",
            relied_on=f"{_MAPPINGS}:ReferenceStream",
            request="The mappings and the exchange rates",
            confirmed=Reading("as assumed", "takes them as the key"),
            contradicted=Reading(
                "some are missing",
                "writes the other rows, and stops with an error that names the key",
            ),
            unseen="nothing could be read",
            probe=Probes.probe_mapping_keys,
        ),
        Assumption(
            id="index-exchange-15",
            sentence="Campaigns have their list of creatives in `creatives`.",
            relied_on=f"{_MAPPINGS}:CampaignsStream",
            request="The campaigns",
            confirmed=Reading("as assumed", "keeps them there"),
            contradicted=Reading(
                "under another name",
                "keeps them in `additional_properties`",
            ),
            unseen="no campaign has a list",
            probe=Probes.probe_creatives,
        ),
        Assumption(
            id="index-exchange-16",
            sentence="The mappings of DSPs and buyers have each id once.",
            relied_on=f"{_MAPPINGS}:fetch_names",
            request="These mappings",
            confirmed=Reading("as assumed", "takes the names from them"),
            contradicted=Reading(
                "some repeat",
                "emits all rows; the hourly table has the first name",
            ),
            unseen="they could not be read",
            probe=Probes.probe_unique_ids,
        ),
        Assumption(
            id="index-exchange-17",
            sentence="A mapping that the account may not read is refused with HTTP 403.",
            relied_on=f"{_MAPPINGS}:ReferenceStream",
            request="The mappings and the exchange rates",
            confirmed=Reading("403", "skips it with a warning"),
            contradicted=Reading(
                "another status",
                "stops that stream with an error",
            ),
            unseen="all could be read",
            probe=Probes.probe_entitlement,
        ),
        Assumption(
            id="index-exchange-18",
            sentence="Exchange rates come under `data`.",
            relied_on=f"{_MAPPINGS}:ExchangeRatesStream",
            request="The exchange rates of the Canadian dollar",
            confirmed=Reading("as assumed", "reads them"),
            contradicted=Reading(
                "a bare array",
                "reads them",
            ),
            unseen="they could not be read",
            probe=Probes.probe_rates_envelope,
        ),
        Assumption(
            id="index-exchange-19",
            sentence="An exchange rate is the price of a US dollar; the vendor's pages contradict each other.",
            relied_on=f"{_MAPPINGS}:ExchangeRatesStream",
            request="The exchange rates of the Canadian dollar",
            confirmed=Reading("above 1.15", "keeps the rate as sent, and says that its direction is unproven"),
            contradicted=Reading(
                "below 0.87",
                "keeps the rate as sent, and says that its direction is unproven",
            ),
            unseen="there is no such rate, or it is in between",
            probe=Probes.probe_rate_direction,
        ),
        Assumption(
            id="index-exchange-20",
            sentence="For a day without rates the latest ones come, under their own date.",
            relied_on=f"{_MAPPINGS}:ExchangeRatesStream",
            request="The exchange rates of a Sunday",
            confirmed=Reading("another date", "keeps the date as sent"),
            contradicted=Reading(
                "the Sunday",
                "keeps the date as sent",
            ),
            unseen="nothing comes",
            probe=Probes.probe_sunday,
        ),
        Assumption(
            id="index-exchange-21",
            sentence="The client key is base64 of an id, a colon and a secret.",
            relied_on=f"{_AUTH}:ClientCredentialsAuthenticator",
            request="Nothing: the settings",
            confirmed=Reading("as assumed", "sends it as it is"),
            contradicted=Reading(
                "something else",
                "sends it as it is",
            ),
            unseen="the settings have `client_id` and `client_secret`",
            probe=Probes.probe_key,
        ),
        Assumption(
            id="index-exchange-22",
            sentence="A token without `expires_in` lives an hour.",
            relied_on=f"{_AUTH}:DEFAULT_LIFETIME_SECONDS",
            request="Nothing: the doctor is done before",
            confirmed=Reading("cannot be seen", "renews it a minute before"),
            contradicted=Reading("cannot be seen", "renews it when it is refused"),
            unseen="always",
            probe=never_observable(DONE_BEFORE),
        ),
        Assumption(
            id="index-exchange-23",
            sentence="A wrong key is refused with HTTP 400 or 401.",
            relied_on=f"{_AUTH}:ClientCredentialsAuthenticator",
            request="Nothing: a wrong key is never sent",
            confirmed=Reading("cannot be seen", "stops at once and names the key"),
            contradicted=Reading("cannot be seen", "stops with that status in the message"),
            unseen="always",
            probe=never_observable("a wrong key is never sent"),
        ),
        Assumption(
            id="index-exchange-24",
            sentence="There is no limit on requests.",
            relied_on="tap_auditlogs.vendors.index_exchange.client:IndexExchangeClient",
            request="Nothing of its own: whether a request of the doctor was throttled",
            confirmed=Reading("none was", "sends requests as fast as they are answered"),
            contradicted=Reading(
                "some were",
                "waits as long as it is told, else a minute, and tries again",
            ),
            unseen="never",
            probe=Probes.probe_throttling,
        ),
        Assumption(
            id="index-exchange-25",
            sentence="Bid files are listed as parts of their hour.",
            relied_on=f"{_LISTING}:read_listing",
            request=_LISTS,
            confirmed=Reading("as assumed", "reads all parts"),
            contradicted=Reading(
                "some are not",
                "reads them as hours with one part",
            ),
            unseen="no bid file is listed",
            probe=Probes.probe_parts,
        ),
    )
