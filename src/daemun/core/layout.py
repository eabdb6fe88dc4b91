"""Where everything lies in the state directory. Strings only: core does no I/O."""

import dataclasses

CHAIN, KEY = "fullchain.pem", "privkey.pem"
"""What a folder under live/ holds. certbot's names, so that people and programs know them."""
SECOND_CHAIN, SECOND_KEY = "fullchain-2.pem", "privkey-2.pem"
"""The second certificate, where `key_type` has two; the same as the first as long as there is none."""

TRAFFIC_LOG = "traffic.log"
SPANS_LOG = "spans.log"
"""In the folder of the logs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """state: absolute path of the state directory, without a trailing slash. work: of a folder where nginx
    works while the state directory cannot be written (`nginx.work_folder`); None: it works in the state directory.
    pairs_name: of the folder in pairs/ (`nginx.pairs_folder`); None: there is none, live/ has the files itself."""

    state: str
    work: str | None = None
    pairs_name: str | None = None

    @property
    def base(self) -> str:
        """Has all that is made anew at each start: nginx's files, logs, sockets. nginx's prefix."""
        return self.work or self.state

    @property
    def store(self) -> str:
        """Accounts, certificates, history (0700). Only daemun reads it."""
        return f"{self.state}/store"

    @property
    def certificate_facts(self) -> str:
        """What was read of certificates before (`certs.served.facts_file`); no key of the store."""
        return f"{self.store}/~certificate-facts"

    @property
    def kept_file(self) -> str:
        """The last version of daemun.yaml that could be applied (`sources.last_good_file`)."""
        return f"{self.store}/history/daemun.yaml"

    @property
    def kept_included(self) -> str:
        """What the files that it includes held then, as JSON by their names (`sources.last_good_file`)."""
        return f"{self.store}/history/included.json"

    @property
    def traffic_store(self) -> str:
        """What each site and route costs (`traffic.traffic_store`); no key of the store."""
        return f"{self.store}/~traffic.sqlite"

    @property
    def uptime_store(self) -> str:
        """How long each site was served (`uptime.uptime_store`); no key of the store."""
        return f"{self.store}/~uptime.sqlite"

    @property
    def status_page(self) -> str:
        """The files of the public status page (`uptime.status_page_writer`). nginx's workers read here."""
        return f"{self.base}/status-page"

    @property
    def nginx(self) -> str:
        return f"{self.base}/nginx"

    @property
    def current(self) -> str:
        """The link to the generation nginx runs."""
        return f"{self.nginx}/current"

    def generation(self, number: int) -> str:
        return f"{self.nginx}/gen/{number}"

    @property
    def builds(self) -> str:
        """nginx binaries that were installed beside the system (`nginx.builds.installed_builds`)."""
        return f"{self.state}/builds"

    @property
    def live(self) -> str:
        """Where people and programs find fullchain.pem and privkey.pem of each name: what is in `pairs`, and for the
        account that runs daemun alone."""
        return f"{self.state}/live"

    @property
    def pairs(self) -> str:
        """NAME/ is a link to one generation of fullchain.pem and privkey.pem. nginx's workers read here, at a path that
        nobody can guess: keep it out of what others than root see."""
        return self.live if self.pairs_name is None else f"{self.state}/pairs/{self.pairs_name}"

    @property
    def challenges(self) -> str:
        """Files here win over the computed HTTP-01 answer (DESIGN.md decision 8)."""
        return f"{self.state}/challenges"

    @property
    def logs(self) -> str:
        return f"{self.base}/logs"

    @property
    def run(self) -> str:
        return f"{self.base}/run"

    @property
    def temp(self) -> str:
        """nginx's temporary files: request bodies and buffered responses."""
        return f"{self.run}/temp"

    @property
    def answers(self) -> str:
        """Answers of servers that nginx keeps for everybody (`core.render.response_cache`). nginx makes it, for its
        workers alone."""
        return f"{self.state}/cache"

    @property
    def answers_room(self) -> str:
        """Is there while the disk has room for further answers; without it nginx keeps no new ones."""
        return f"{self.run}/answers.room"

    @property
    def bans(self) -> str:
        """A file for each network that is refused, by the names of `core.access.banned_networks`."""
        return f"{self.run}/bans"

    @property
    def tickets(self) -> str:
        """Keys of TLS session tickets that the machines of a fleet share, a file each (`fleet.ticket_keeper`)."""
        return f"{self.run}/tickets"

    @property
    def nginx_pid(self) -> str:
        return f"{self.run}/nginx.pid"

    @property
    def nginx_program(self) -> str:
        """A link to the binary that nginx is started as, and that takes over from one that runs."""
        return f"{self.run}/nginx"

    @property
    def nginx_takeover(self) -> str:
        """What to go back to, while another binary takes over (`nginx.takeover_journal`)."""
        return f"{self.run}/nginx.takeover"

    @property
    def nginx_reloads(self) -> str:
        """How often the running master was reloaded, kept across restarts of daemun."""
        return f"{self.run}/nginx.reloads"

    @property
    def nginx_workers(self) -> str:
        """Which worker runs which generation, kept across restarts of daemun."""
        return f"{self.run}/nginx.workers"

    @property
    def confirm_socket(self) -> str:
        """nginx answers here with the number of the generation its workers run."""
        return f"{self.run}/nginx.sock"

    @property
    def confirm_sockets(self) -> tuple[str, str]:
        """The usual one, and the one that nginx is given when it was deleted: nginx makes a socket only once."""
        return (self.confirm_socket, f"{self.run}/confirm.sock")

    @property
    def control_socket(self) -> str:
        return f"{self.run}/control.sock"

    @property
    def hold_socket(self) -> str:
        """daemun answers here when a request that waits can be sent to a server."""
        return f"{self.run}/hold.sock"

    @property
    def domains_socket(self) -> str:
        """daemun answers here whether a name that a visitor brings is added to a site."""
        return f"{self.run}/domains.sock"

    @property
    def client_links_socket(self) -> str:
        """daemun hands over certificates here, behind links of `daemun clients add`."""
        return f"{self.run}/client-links.sock"

    @property
    def dashboard_socket(self) -> str:
        """The process of the dashboard answers nginx here with its pages."""
        return f"{self.run}/dashboard.sock"

    @property
    def api_socket(self) -> str:
        """daemun answers what programs request of the dashboard's host, below /api."""
        return f"{self.run}/api.sock"

    @property
    def dashboard_folder(self) -> str:
        """Where the process of the dashboard lives, whose account may pass nowhere else."""
        return f"{self.run}/dashboard"

    @property
    def dashboard_api_socket(self) -> str:
        """The same as `api_socket`, for that process."""
        return f"{self.dashboard_folder}/api.sock"

    @property
    def missed_socket(self) -> str:
        """nginx logs here (syslog, datagrams) handshakes for names without a certificate."""
        return f"{self.run}/missed.sock"

    @property
    def guesses_socket(self) -> str:
        """nginx logs here (syslog, datagrams) requests with credentials that a server refused."""
        return f"{self.run}/guesses.sock"

    @property
    def judge_socket(self) -> str:
        """The judge answers nginx here whether a visitor may come in."""
        return f"{self.run}/judge.sock"

    @property
    def judge_control_socket(self) -> str:
        """The judge gets its policies from the daemon here."""
        return f"{self.run}/judge-control.sock"

    @property
    def judge_pid(self) -> str:
        """Which process is the judge, kept across restarts of daemun."""
        return f"{self.run}/judge.pid"

    @property
    def session_slots(self) -> tuple[str, str]:
        """The judge writes who signed in to one and to the other by turns (`judge.session_file`); no keys of the
        store."""
        return (f"{self.store}/~sessions-1", f"{self.store}/~sessions-2")

    @property
    def passed_prefix(self) -> str:
        """How the sockets begin by which nginx finds itself (`core.render.sni_passthrough`)."""
        return f"{self.run}/to-"

    @property
    def lock(self) -> str:
        return f"{self.run}/daemun.lock"

    @property
    def clients_certificate(self) -> str:
        """The CA of `daemun clients`; its key stays in the store."""
        return f"{self.state}/clients-ca.pem"

    @property
    def clients_revoked(self) -> str:
        """Which certificates of that CA were withdrawn (RFC 5280 section 5)."""
        return f"{self.state}/clients-revoked.pem"

    @property
    def root_certificate(self) -> str:
        """The local CA's root, for people to trust; the key stays in the store."""
        return f"{self.state}/ca.pem"
