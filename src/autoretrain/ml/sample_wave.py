"""The campaigns of a later year, which the sample corpus has never seen: other stories, other words, no shouting.

Each is told in parts, one template of each part in turn, so that its copies differ as those of a real campaign do.
"""

from autoretrain.ml.sample_grammar import entries, lines

WORDS = {
    "courier": entries("EvriPoint|RapidPost|Hermia|ParcelOne|DPX|Swiftly|RoyalDepot|NordLog|PostNorden|YellowVan"),
    "bank": entries("Castleton Bank|Monzer|First Meridian|Albion Savings|NatEast|Revolyt|Barkley Online|Santera"),
    "coin": entries("BTC|ETH|Solana|USDT|XRP|Dogecoin|staking|airdrop"),
    "wallet": entries("MetaVault|Coinbaze|TrustKey|Ledgerly|BinanceX|KrakNet|SafeSeed"),
    "stream": entries("Netflux|Spotifine|Disnee+|PrimeView|StreamBox|AppleVue|Paramont|iCloudy"),
    "app": entries("WhatsApp|Telegram|Signal|LINE|Viber"),
    "council": entries("Westbrook Council|City Parking Authority|ParkPay|DVLA-Online|Highway Tolls|LowZone Charging"),
    "office": entries("Revenue Service|HMRC Refunds|Tax Office|Benefits Agency|Energy Rebate Team|Pension Desk"),
    "pay": entries("£1.45|£1.99|£2.10|£2.79|€1.95|€2.40|$3.15|£0.99"),
    "fine": entries("£25|£35|£50|£60|£70|£85|£105"),
    "salary": entries("£180-£450 a day|$300 daily|£22 an hour|€120 per shift|500 USDT weekly|£2,400 per month"),
    "device": entries(
        "an iPhone 15|a Windows laptop|a new Android|an unknown tablet|a browser in Lagos|a MacBook in Kyiv"
    ),
    "payee": entries("J HARLOW|MR T OKORO|S BANERJEE|Zed Trading|M KOWALSKI|LTD HOLDINGS"),
    "agent": entries("Emily|Chloe|Sandra|Vivian|Anita|Jessica|Linda|Mia|Natalie"),
    "broken": entries(
        "dropped it in the sink|the screen is cracked|it went through the wash|lost it on the train|water damage"
    ),
    "url": entries(
        "https://{courier}-redeliver.example/####|bit.example/#a##k|secure-{council_host}.example/pcn|"
        "t.example/#x#z##|verify-{wallet}.example/login|id-check##.example|my-{stream}-billing.example|"
        "rebate-gov##.example/apply|wa.example/44750#######|jobs-remote##.example"
    ),
    "council_host": entries("parking|penalty|tolls|cleanair|permits"),
    "soon": entries("within 24 hours|by midnight|before 18:00|today|within two working days|in the next 12h"),
}

CAMPAIGNS = {
    "parcel fee": (
        lines("""
{courier}: your [package|shipment|item] [could not be delivered|is held at our depot|was returned to the hub].
[We attempted|Our courier attempted] delivery of your [item|shipment] but nobody [was in|signed].
Consignment [GB|RX|JJ]####### is [on hold|awaiting instructions|stuck in customs].
Import [duty|VAT] is outstanding on your shipment with {courier}.
The [house number|postcode|address label] on your consignment [is missing|was unreadable].
"""),
        lines("""
[A redelivery fee|A customs charge|An unpaid shipping charge] of {pay} [applies|is needed|remains].
[Please settle|Kindly pay] {pay} {soon} or it will be [returned to sender|destroyed].
Reschedule [{soon}|and confirm your details|for a small charge of {pay}].
[Update your address|Correct the details] {soon}.
"""),
        lines("""
{url}
Visit {url}
Rebook here: {url}
[Proceed|Continue] via {url}
Tap {url} [to release it|]
"""),
    ),
    "crypto": (
        lines("""
{wallet}: [a withdrawal of 0.#### {coin} was requested|your seed phrase has expired|your vault is restricted].
[Our trading group|My mentor|This AI bot] [doubled|grew] [my|members'] {coin} [in # days|overnight].
[Exclusive|Whitelisted] {coin} [presale|airdrop] [for early investors|opens {soon}].
[Your {coin} balance|A dormant wallet with #.## BTC] [is pending release|awaits verification].
[A film star|A fund manager|My uncle] [shared|revealed] a [blockchain|trading] platform, returns of ##% \
    [weekly|guaranteed].
"""),
        lines("""
[Not you? Cancel|Reject the transfer] {soon}:
[Deposit|Start with|Invest] [$200|0.01 BTC|250 USDT] [and withdraw anytime|, profits daily|to join].
[Connect|Validate|Synchronise] your wallet {soon}.
Message {agent} on {app} [for signals|to begin|, slots limited].
[Only ## seats remain|KYC required|Gas fees are covered].
"""),
        lines("""
{url}
{url}
Dashboard: {url}
Join {app} +44 7### ######
[Log in|Verify] at {url}
"""),
    ),
    "job offer": (
        lines("""
Hello, I'm {agent}, [a recruiter|HR manager|hiring coordinator] [at|from] \
    [BrightHire|TalentBay|Indeedly|Workwell].
[Your CV|Your profile|Your background] [was recommended|matches our vacancy|impressed several agencies].
[Remote|Part-time|Flexible] [vacancy|position]: [rating hotels|liking videos|optimising app data|data entry].
[We are hiring|Urgently recruiting] [online|home-based] assistants, [no experience|aged 22+].
"""),
        lines("""
[Earn|Salary|Pay] {salary}, [60-90 minutes daily|choose your hours|paid leave].
[Training is provided|A phone is all you need|Only # positions left], {salary}.
[Working time is yours|Four days' trial], [base wage|commission] {salary}.
"""),
        lines("""
[Interested|Available]? [Contact|Add|Message] me on {app}: +## 7### ######
Reply [interested|1|more] [and I will send details|to {app} +44 7### ######].
[Apply|Register]: {url}
Kindly [reach|write to] {agent} via {app} {url}
"""),
    ),
    "account alert": (
        lines("""
{bank}: [a new device|a new payee] [was added|has been registered] [from {device}|: {payee}].
{bank}: [a payment|a transfer|an instruction] of £###.## to {payee} [is being processed|was flagged].
[Unusual|Suspicious] [sign-in|activity] on your {bank} profile from {device}.
Your {bank} [online access|debit card|mobile banking] has been [limited|suspended|paused].
{bank} [fraud team|security]: [we blocked|we noticed] a [login|purchase] [from {device}|by {payee}].
"""),
        lines("""
If this was NOT you, [please|] [secure|review|protect] your profile {soon}:
[Didn't request this?|Not recognised?] [Cancel|Decline|Remove it] [immediately|{soon}]:
[Verify|Confirm|Re-validate] your [identity|details|information] {soon} to [restore access|avoid closure]:
Failure to [respond|authenticate] will [lock|deactivate] your [profile|card].
"""),
        lines("""
{url}
{url}
[Go to|Visit] {url}
Speak to a specialist: +44 20 #### ####
"""),
    ),
    "parking fine": (
        lines("""
{council}: [penalty charge|PCN] ##[A|B|T]##### [remains unpaid|was issued to your vehicle|is outstanding].
Your vehicle [was recorded|was photographed] [in a bus lane|in the clean air zone|without a valid permit].
{council}: [you have an unpaid toll|an enforcement notice is open|your appeal was declined].
[Final reminder|Last notice] [from|by] {council} [about|regarding] an outstanding [penalty|toll].
"""),
        lines("""
[Settle|Pay] {fine} {soon} [to avoid court|or it rises to {fine}|to keep the discounted rate].
[Scan the QR code on the notice|Use the QR sticker at the meter] or pay {fine} {soon}.
[Bailiffs|Enforcement agents] [may attend|will be instructed] [unless {fine} is paid|].
Evidence photographs and payment ({fine}) [are online|below]:
"""),
        lines("""
{url}
{url}
Pay: {url}
[View the evidence|See the photos] {url}
"""),
    ),
    "refund": (
        lines("""
{office}: you are [eligible|approved] for a [rebate|reimbursement] of £###.##.
[After the annual review|Following our recalculation], {office} [owes you|will return] £###.##.
{office}: your [council tax|energy|cost of living] [rebate|grant] [is ready|was not collected].
"""),
        lines("""
[Submit|Complete] the [online form|application] {soon}.
[Confirm|Provide] your bank details {soon} [to be paid|or it lapses].
[Processed in # days|No paperwork needed], [apply|proceed] {soon}.
"""),
        lines("""
{url}
Start: {url}
[Portal|Apply at] {url}
"""),
    ),
    "subscription": (
        lines("""
{stream}: [your membership|your subscription|your storage plan] [has expired|will be cancelled|failed to renew].
{stream}: [we couldn't|unable to] [process|authorise] your [last|monthly] payment.
[All your photos|Your playlists|Your profiles] on {stream} will be [erased|deleted] {soon}.
"""),
        lines("""
[Update|Re-enter] your [billing|card] [details|information] {soon}.
[Extend|Continue] [for 90 days|your membership] [at no charge|for {pay}] {soon}.
[Avoid interruption|Keep watching]: [verify|renew] {soon}.
"""),
        lines("""
{url}
{url}
[Manage|Restore] your plan: {url}
"""),
    ),
    "new number": (
        lines("""
[Hi mum|Hi dad|Hello mum and dad|Mum], [this is my temporary number|I'm texting off a friend's mobile].
[Mum it's me|Dad it's your eldest|Hey mum], {broken}, [save this number|delete my old number].
"""),
        lines("""
[My banking app is locked on the new handset|I can't get into my online banking],
[I have a bill that must be paid {soon}|I need to settle an invoice of £###|The repair shop wants £###],
[Don't ring, the microphone is broken|I can't take calls],
"""),
        lines("""
[could you transfer it|can you cover it|can you pay it] [and I'll return it {day}|for me|please]? [x|xx|]
[message me on {app}|add me on {app}] [wa.example/447########|+44 7### ######] [asap|when you read this] [x|]
"""),
    ),
}
