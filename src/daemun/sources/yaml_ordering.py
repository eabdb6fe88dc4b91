"""How certificates are ordered: `acme:` and `tls:` become values of the model."""

from daemun.core import model
from daemun.sources import yaml_acme, yaml_context


def translate_acme(context: yaml_context.Context, entry: yaml_acme.AcmeEntry) -> model.Acme:
    if entry.eab is not None and len(entry.directory) > 1:
        cause = "belongs to one of several directories; write `{directory: NAME, eab: ...}` in the list"
        context.report_at(("acme", "eab"), cause)
    return model.Acme(
        authorities=tuple(_authority(one, entry) for one in entry.directory),
        profile=entry.profile,
        challenge=entry.challenge,
        dns=_dns(entry.dns),
        key_type=_key_type(entry.key_type, 0),
        further_key_type=_key_type(entry.key_type, 1),
        preferred_chain=entry.preferred_chain,
        hook=tuple(entry.hook),
        resolvers=tuple(entry.resolvers),
    )


def translate_tls(
    entry: yaml_acme.TlsWord | yaml_acme.TlsFilesEntry | yaml_acme.TlsOrderEntry,
) -> model.Tls:
    if isinstance(entry, yaml_acme.TlsWord):
        return model.Tls(mode=model.TlsMode(entry.value))
    if isinstance(entry, yaml_acme.TlsOrderEntry):
        return model.Tls(
            mode=model.TlsMode(entry.mode.value),
            ordering=model.Ordering(
                authority=None if entry.directory is None else _authority(entry.directory, yaml_acme.AcmeEntry()),
                profile=entry.profile,
                challenge=entry.challenge,
                dns=_dns(entry.dns),
                key_type=_key_type(entry.key_type, 0),
                further_key_type=_key_type(entry.key_type, 1),
                preferred_chain=entry.preferred_chain,
            ),
        )
    return model.Tls(
        mode=model.TlsMode.FILES,
        certificate=entry.certificate,
        key=entry.key,
    )


def _key_type(types: list[model.KeyType] | None, index: int) -> model.KeyType | None:
    return types[index] if types is not None and index < len(types) else None


def _authority(entry: yaml_acme.AuthorityEntry, usual: yaml_acme.AcmeEntry) -> model.Authority:
    """usual: what holds where the entry sets nothing."""
    ca_file, eab = entry.ca_file or usual.ca_file, entry.eab or usual.eab
    return model.Authority(
        directory=entry.directory,
        email=entry.email or usual.email,
        ca_file=ca_file,
        eab=None if eab is None else model.Eab(key_id=eab.kid, hmac_key=eab.hmac_key),
        staging=entry.staging or usual.staging or yaml_acme.STAGINGS.get(entry.directory),
    )


def _dns(entry: yaml_acme.DnsEntry | None) -> model.Dns | None:
    if entry is None:
        return None
    options = ((name, value) for name, value in (entry.__pydantic_extra__ or {}).items())
    return model.Dns(
        provider=entry.provider,
        options=tuple(sorted(options, key=lambda option: option[0])),
        command=tuple(entry.command),
        wait_s=entry.wait,
    )
