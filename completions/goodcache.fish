# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_goodcache_global_optspecs
    string join \n config= v/verbose q/quiet color= cluster= user= password-file= master-name= sentinel-user= sentinel-password-file= tls cacert= cert= key= sni= insecure trust-announced print-acl node-map= docker-map= provider= deadline= h/help V/version
end

function __fish_goodcache_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_goodcache_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_goodcache_using_subcommand
    set -l cmd (__fish_goodcache_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c goodcache -n "__fish_goodcache_needs_command" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_needs_command" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_needs_command" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_needs_command" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_needs_command" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_needs_command" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_needs_command" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_needs_command" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_needs_command" -s V -l version -d 'Print version'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "create" -d 'Make a cluster of servers that run already, of containers, or of local processes'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "check" -d 'Ask every node by every path and tell whether the cluster is healthy'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "failover-test" -d 'Break the cluster on purpose, measure the outage, count lost writes, and put it back'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "restore" -d 'Put a snapshot, or RDB files, into a cluster of any shape, and prove that all of it is there'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "tune" -d 'Advise what to set, from what the cluster really does; apply it safely, undo it exactly'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "rotate-password" -d 'Give a user of the running cluster a new password, without an outage'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "destroy" -d 'Take away a cluster that create made'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "generate" -d 'Write shell completions or man pages'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "backup" -d 'Take a snapshot of the whole cluster, and keep, prove, prune and copy those that were taken'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l nodes -d 'Join these servers, which run already and are empty (comma-separated)' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l masters -d 'Masters [default: 3, or as many as --nodes allow]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l replicas -d 'Replicas of each master [default: 1]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l zone -d 'Tell which zone a node stands in; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l require-tolerate -d 'Refuse unless the loss of any one host, or zone, can be borne' -r -f -a "host\t'Any one host'
zone\t'Any one zone'"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l node-timeout -d 'Call a node failing when it was silent for this long [default: 5s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l image -d 'With --docker: the image [default: redis:7-alpine]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l base-port -d 'The first node\'s port, the others follow [default: 7001]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l bind -d 'Listen, or publish ports, on this address [default: 127.0.0.1]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l write-compose -d 'With --docker: write a compose file instead of making anything' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l server -d 'With --local: the redis-server or valkey-server to run [default: the one in PATH]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l dir -d 'With --local: the folder that holds the nodes\' data' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l emit -d 'With --provider aws, gcp or azure: write the definition of such a cluster, and make nothing' -r -f -a "terraform\t'Terraform'
cli\t'A shell script of the service\'s own command line'"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l node-size -d 'With --emit: the service\'s name of a node\'s size [default: a small one]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l region -d 'With --emit: the region [default: a variable]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l timeout -d 'Give up when the cluster is not usable after this long [default: 60s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l docker -d 'Make a container for each node'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l local -d 'Start a server process on this machine for each node'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l allow-small -d 'Allow one or two masters, which cannot elect a successor'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l acl-users -d 'Set users apart for application, replication, backup, check and admin, each with the least it needs and a password of its own, and turn the default user off'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l renew-tls -d 'Of a cluster that create --tls made: give each node a new certificate while it runs'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l dry-run -d 'Show the plan and change nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s y -l yes -d 'Do not ask before changing anything'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l sample -d 'Measure rates over two looks this far apart; 0s looks once [default: 1s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l zone -d 'Tell which zone a node stands in; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l profile -d 'What the cluster is for [default: cache]' -r -f -a "cache\t''
session\t''
durable\t''
queue\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l fail-on -d 'Exit with 3 from this severity on [default: critical]' -r -f -a "critical\t'Critical findings only'
warning\t'Warnings too'
never\t'Never: the exit code tells only whether it could be looked'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l watch -d 'Look again and again [default: every 2s, or REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l wait -d 'Look until the cluster is healthy' -r -f -a "healthy\t'Every node that anybody knows answers, state ok everywhere, no finding as grave as --fail-on'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l timeout -d 'With --wait: give up after this long [default: 60s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l save-survey -d 'Save all that was seen' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l from -d 'Judge a saved survey instead of a cluster' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l against -d 'Tell what changed since a saved survey' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l explain -d 'Explain a finding\'s code and look at nothing' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''
prometheus\t''
nagios\t''
junit\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l canary -d 'Also write a key to each shard and time how long its replicas take to have it'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l deep -d 'Also look for keys in nodes that do not own their slot'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l fault -d 'What is done to the node' -r -f -a "stop\t''
kill\t''
pause\t''
isolate\t''
isolate-peers\t''
isolate-bus\t''
slow\t''
fast-restart\t''
shutdown\t''
sleep\t''
failover\t''
force\t''
takeover\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l shard -d 'Strike the master of this shard; 1 is the first [default: 1]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l node -d 'Strike this node; several are struck at once' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l role -d 'Strike the shard\'s master, or a replica [default: master]' -r -f -a "master\t'Its master'
replica\t'A replica'"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l on-host -d 'Strike all nodes of this host at once' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l on-zone -d 'Strike all nodes of this zone at once' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l seed -d 'With --random: the same number strikes the same shard' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l then -d 'While the cluster is still recovering, strike again with this fault' -r -f -a "stop\t''
kill\t''
pause\t''
isolate\t''
isolate-peers\t''
isolate-bus\t''
slow\t''
fast-restart\t''
shutdown\t''
sleep\t''
failover\t''
force\t''
takeover\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l then-shard -d 'With --then: the shard whose master is struck [default: the next one]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l then-node -d 'With --then: strike this node; several are struck at once' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l then-after -d 'With --then: how long after the first' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l scenario -d 'Do what FILE says, step by step' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l rounds -d 'Do all of it N times [default: 1]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l down-for -d 'How long a fault lasts that no failover follows [default: twice the node timeout, at least 3s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l zone -d 'Tell which zone a node stands in; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l via -d 'What reaches the nodes to break them and put them back' -r -f -a "auto\t'A container that proves to be the node; else hooks, where there are any; else a local process'
docker\t'Containers'
local\t'Processes of this machine'
hooks\t'The commands in goodcache.yaml'"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l accept -d 'Do what would be refused, because it is the purpose; may be repeated' -r -f -a "quorum-loss\t''
shard-loss\t''
no-successor\t''
wipe\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l even-if -d 'Drill although check finds this critical; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l confirm -d 'Say yes by repeating the cluster\'s name, instead of typing it when asked' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l timeout -d 'Wait this long for the recovery, and again for the cluster to be whole' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l rate -d 'Writes, and as many reads, a second on each shard; a witness writes as often besides' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l value-size -d 'Bytes of each value' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l max-outage -d 'The longest time that a shard may take no writes [default: 10s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l max-lost-writes -d 'Acknowledged writes that may be gone [default: 0]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l max-redundancy -d 'The longest time until every shard has all its replicas again [default: 60s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l max-p99 -d 'The longest 99th percentile of write latency outside the outage' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l record -d 'Keep all that was measured in FILE, for --from and --compare' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l from -d 'Judge a recorded drill anew, and touch no cluster' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l compare -d 'Fail when the outages are longer than in a recorded drill' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l junit -d 'Also write JUnit XML: a case for each budget of each shard' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l report -d 'Also write one HTML page with the timeline drawn' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''
junit\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l watchdog -d 'Wait for the end of stdin, then heal what that journal lists' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l rolling-restart -d 'Restart every node in turn instead, masters after handing over'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l whole-shard -d 'Strike all nodes of the shard at once'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l all-shards -d 'Strike every shard, one after another'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l random -d 'Strike a shard chosen by chance'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l dry-run -d 'Show what would be done and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l hold -d 'Leave it broken, until --heal'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l heal -d 'Put back what an earlier drill left broken, and do nothing else'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l restore-roles -d 'Afterwards let the masters of before lead again'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand failover-test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l of -d 'With \'latest\': of the cluster that was backed up under this name [default: the target\'s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l at -d 'Restore this moment of a cluster that is followed (backup --follow): 2026-11-24T12:03:07Z, or \'5m ago\'' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l rdb -d 'Restore these RDB files, or folders of them, instead of a snapshot' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l keys -d 'Keys that match the pattern, as KEYS and SCAN match' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l type -d 'Keys of this type: string, list, set, zset, hash, stream, module' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l slots -d 'Keys of these slots, such as 0-99,4000' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l hash-tag -d 'Keys with this hash tag: TAG of \'{TAG}:x\'' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l min-ttl -d 'Keys that have at least so long to live' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l confirm -d 'Consent to --replace or --flush by repeating the target\'s name' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l order -d 'In which order keys go [default: slots]' -r -f -a "slots\t'As they lie, so that every master is busy'
hottest\t'The most used first, by the LFU or LRU data that the snapshot has'"
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l rate -d 'Send at most so much a second, such as 50MiB' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l max-latency -d 'Keep the target\'s own answers (PING, asked beside the load) below this time' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l max-stall -d 'The longest that one command may hold a master up: larger values go in parts [default: 50ms]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l replace -d 'Replace those that the snapshot has; others stay'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l skip-existing -d 'Leave them as they are'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l undelete -d 'Bring back only keys that are absent now: the same as --skip-existing'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l flush -d 'Remove every key of the target first'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l dry-run -d 'Show what would be done and change nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l with-acl -d 'Bring the ACL users back too, on every node'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l no-verify -d 'Do not read the target back to compare it'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l restart -d 'Begin anew instead of going on where the same command stopped'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l sample -d 'Take the counters twice, this far apart; 0s takes them once, without rates [default: 60s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l from -d 'Judge saved evidence instead of a cluster' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l save-evidence -d 'Save all that was seen' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l profile -d 'What the cluster is for [default: guessed]' -r -f -a "cache\t''
session\t''
durable\t''
queue\t''
guide\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l memory-limit -d 'The memory that one node may use, where it cannot be seen: 4gb, 512MiB' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l outage -d 'How long a replica may be away and still catch up without a full copy [default: 60s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l recovery -d 'How soon a failover should be over' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l only -d 'Only these rules or groups: memory.policy,replication' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l except -d 'Not these rules or groups' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l fail-on -d 'Exit with 3 from this severity on [default: never]' -r -f -a "critical\t'Critical findings only'
warning\t'Warnings too'
never\t'Never: the exit code tells only whether it could be looked'"
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l undo -d 'Put back exactly what that file\'s tune --apply changed' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l undo-file -d 'With --apply: where to write the undo file [default: beside the saved cluster]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l write-conf -d 'Write the advice as lines of a redis.conf' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l write-compose -d 'Of a cluster in Docker: write the advice as a compose file to be laid over its own' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l trial -d 'Try what these rules recommend on throw-away copies of a node, with and without it in turns' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l load -d 'With --trial: synthetic, recorded (the shares of the cluster\'s commands), or a file of commands [default: synthetic]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l for -d 'With --trial: how long all turns are together, from 1s on [default: 30s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l connections -d 'With --trial: connections that send, wait and send again [default: 8]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l server -d 'With --trial: the redis-server or valkey-server to run [default: of the node\'s own and those in PATH the nearest]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l prices -d 'With --size: what nodes cost, in YAML; goodcache knows no prices' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l growth -d 'With --size: how fast the data grows, such as 10%/month or 0.3%/day' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l growth-since -d 'With --size: measure the growth since a file that --save-evidence or check --save-survey wrote' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l horizon -d 'With --size: how far ahead it must hold [default: 90d]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l family -d 'With --size: only services, families or sizes with that in their name: elasticache, r7g' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l drill -d 'With --resilience: a report that failover-test -o json wrote [default: the last one]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l explain -d 'Explain a rule and look at nothing' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l deep -d 'Also look at sizes, encodings and use of a thousand keys and more of each master'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l no-loss -d 'No acknowledged write may be lost in a power cut: the disk is waited for before each answer'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l apply -d 'Set what can be set while the servers run'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l dry-run -d 'With --apply or --undo: show the plan and change nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -s y -l yes -d 'Agree without being asked'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l rewrite -d 'With --apply: also write the settings to the servers\' files (CONFIG REWRITE)'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l even-if-changed -d 'With --undo: also put back what somebody changed since'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l size -d 'Lay the load out on node sizes that can be had, the cheapest first'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l resilience -d 'Say how clients ride out a failover, by the last failover-test where there was one'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand tune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l of -d 'Whose password [default: the user that logs in]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l new-password-file -d 'Take the new password from the first line of FILE (\'-\' is stdin); with --generate write it there' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l wait-for-clients -d 'Wait this long until no connection is older than the new password, then go on' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l generate -d 'Make a new password up, and keep it in a file that only its owner can read'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l finish -d 'Go on past the clients\' turn: remove the old password'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l undo -d 'Put everything back as it was'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l dry-run -d 'Show the plan and change nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -s y -l yes -d 'Agree without being asked'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand rotate-password" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l confirm -d 'Say yes by repeating the name, instead of typing it when asked' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l dry-run -d 'Show what would be removed and remove nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l from -d 'Which node of each shard is read [default: best]' -r -f -a "best\t'A replica that keeps up, else the master'
replicas\t'Replicas only'
masters\t'Masters only'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l via -d 'How nodes are read [default: auto]' -r -f -a "auto\t'By replication, and key by key where a service keeps that to itself'
psync\t'By replication only'
scan\t'Key by key (SCAN and DUMP): not a snapshot'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l wire -d 'How values come from the servers [default: auto]' -r -f -a "auto\t'Plain from servers on this machine, as they are set from others'
plain\t'As they are: more bytes, and less work for the servers'
compressed\t'Compressed by the servers'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l cut -d 'How one moment is cut through all shards [default: barrier, where writes may be paused]' -r -f -a "barrier\t'Writes are paused on all masters for a few round trips'
clock\t'At one time of this machine\'s clock, without a pause'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l max-stall -d 'The longest that writes may stand still for the cut [default: 1s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l rate -d 'Read at most so much a second, such as 50MiB' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l parallel -d 'How many nodes of one machine fork at the same time [default: as many as its memory holds]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l also -d 'Copy the snapshot to this repository too' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l also-passphrase-file -d 'Read those repositories\' passphrase from the first line of FILE [default: the same passphrase]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l label -d 'Put these words on the snapshot' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l every -d 'Go on taking snapshots, each so long after the last began, such as 24h' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l base-every -d 'With --follow: how long after one snapshot the next begins [default: 24h]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l keep-last -d 'Keep the latest N' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l keep-daily -d 'Keep the latest of each of the last N days' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l keep-weekly -d 'Keep the latest of each of the last N weeks' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l keep-monthly -d 'Keep the latest of each of the last N months' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l keep-within -d 'Keep all that are not older than this, such as 48h or 30d' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l partial -d 'Take what is served although some slots are served by nobody'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l follow -d 'Stay attached after the snapshot and archive every write, so that any moment can be restored'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "list" -d 'List the snapshots, the newest first'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "show" -d 'Show all that is known of one snapshot'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "log" -d 'Show every write to a key that was archived by --follow'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "verify" -d 'Prove that a snapshot is whole and is what was written'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "prune" -d 'Remove the snapshots that no rule keeps, and what was left unfinished'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "copy" -d 'Copy snapshots to another repository, what is missing only'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "diff" -d 'Name the slots, and the keys, in which two snapshots differ'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "export" -d 'Write a snapshot as plain RDB files, one for each shard'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and not __fish_seen_subcommand_from list show log verify prune copy diff export import" -a "import" -d 'Take plain RDB files into the repository'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l since -d 'Only what came then or later' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l until -d 'Only what came then or before [default: now]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l server -d 'With --boot: the redis-server or valkey-server to run [default: the one in PATH]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l read-data -d 'Read and prove every byte, not the sizes alone'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l boot -d 'Load it into throw-away servers on this machine and compare what they then hold'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l grace -d 'Leave unfinished backups alone that were added to within this time [default: 24h]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l keep-last -d 'Keep the latest N' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l keep-daily -d 'Keep the latest of each of the last N days' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l keep-weekly -d 'Keep the latest of each of the last N weeks' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l keep-monthly -d 'Keep the latest of each of the last N months' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l keep-within -d 'Keep all that are not older than this, such as 48h or 30d' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l dry-run -d 'Show what would be removed and remove nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -s y -l yes -d 'Do not ask before removing anything'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l to -d 'The repository to copy to' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l to-passphrase-file -d 'Read that repository\'s passphrase from the first line of FILE [default: the same passphrase]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l all -d 'Copy every snapshot, the oldest first'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from copy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l keys -d 'Name the keys that differ too'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l to -d 'The folder to write to' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l shard -d 'Only this shard, as show numbers them' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l master-name -d 'Of several masters that a Sentinel watches, the one that is meant' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l sentinel-user -d 'Log in to Sentinels as this ACL user, where they have a login of their own' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l sentinel-password-file -d 'Read the Sentinels\' own password from the first line of FILE' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l provider -d 'Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l repo -d 'The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l passphrase-file -d 'Read the repository\'s passphrase from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l trust-announced -d 'Send the password to every address that a node announces, also without TLS'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -l print-acl -d 'Print the ACL rule that this command\'s user needs, and do nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand backup; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
