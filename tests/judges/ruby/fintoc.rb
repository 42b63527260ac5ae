# frozen_string_literal: true

# A client of our own that talks as fintoc-ruby does (https://github.com/fintoc-com/fintoc-ruby): a Bearer key, the
# link's token remembered and sent with everything, also in the body of a DELETE, dates with their time, `next` followed
# as it stands, errors by code, and an ArgumentError for a field that is not there. It is not the gem: none of its code
# is here. Prints what came of it as JSON.

require 'date'
require 'json'
require 'net/http'
require 'openssl'

BRIEF = ENV.filter_map { |name, value| [name.delete_prefix('JUDGE_').downcase, value] if name.start_with?('JUDGE_') }
           .to_h.freeze
OUTCOMES = %w[succeeded failed rejected].map { |status| "account.refresh_intent.#{status}" }.freeze

class FintocError < StandardError; end

class SignatureError < StandardError; end

# What the gem's objects cannot be made without.
module Shape
  INSTITUTION = %i[id name country].freeze
  BALANCE = %i[available current limit].freeze
  LINK = %i[id username holder_type institution created_at mode].freeze
  ACCOUNT = %i[id name official_name number holder_id holder_name type currency balance].freeze
  MOVEMENT = %i[id amount currency description post_date transaction_date type reference_id recipient_account
                sender_account comment].freeze
  ENDPOINT = %i[id object url mode enabled_events secret created_at].freeze

  def self.check(row, fields)
    missing = fields - row.keys
    raise ArgumentError, "missing keywords: #{missing.join(', ')}" unless missing.empty?

    row
  end

  def self.link(row)
    check(row[:institution], INSTITUTION)
    (row[:accounts] || []).each { |one| account(one) }
    check(row, LINK)
  end

  def self.account(row)
    unexpected = row.fetch(:balance).keys - BALANCE
    raise ArgumentError, "unknown keywords: #{unexpected.join(', ')}" unless unexpected.empty?

    check(row, ACCOUNT)
  end

  def self.movement(row)
    DateTime.iso8601(row[:post_date])
    check(row, MOVEMENT)
  end
end

class Client
  VERBS = { get: Net::HTTP::Get, post: Net::HTTP::Post, patch: Net::HTTP::Patch, delete: Net::HTTP::Delete }.freeze

  def initialize(key)
    @headers = { 'Authorization' => "Bearer #{key}", 'User-Agent' => 'fintoc-ruby/1.0.0' }
    @defaults = {}
  end

  def remember(link_token)
    @defaults = { link_token: link_token }
  end

  def get(path, **params)
    request(:get, address(path, params)).first
  end

  # All pages, `next` as it stands.
  def list(path, **params)
    rows, following = request(:get, address(path, params))
    while following
      page, following = request(:get, URI(following))
      rows += page
    end
    rows
  end

  def send_json(verb, path, idempotency_key: nil, **body)
    request(verb, URI("#{BRIEF['url']}/v1/#{path}"), { **@defaults, **body }, idempotency_key).first
  end

  private

  def address(path, params)
    uri = URI("#{BRIEF['url']}/v1/#{path}")
    given = { **@defaults, **params }
    uri.query = URI.encode_www_form(given.transform_values(&:to_s)) unless given.empty?
    uri
  end

  def request(verb, uri, body = nil, key = nil)
    call = VERBS.fetch(verb).new(uri, @headers)
    call['Idempotency-Key'] = key if key
    if body
      call['Content-Type'] = 'application/json; charset=utf-8'
      call.body = JSON.generate(body)
    end
    answer = Net::HTTP.start(uri.host, uri.port) { |http| http.request(call) }
    content = answer.body.to_s.empty? ? nil : JSON.parse(answer.body, symbolize_names: true)
    raise_error(content.fetch(:error)) unless answer.is_a?(Net::HTTPSuccess)
    [content, following(answer['link'])]
  end

  def following(header)
    links = header.to_s.split(',').map { |one| one.strip.match(/<(?<url>.*)>;\s*rel="(?<rel>.*)"/) }
    links.compact.to_h { |one| [one[:rel], one[:url]] }['next']
  end

  def raise_error(error)
    name = error.fetch(:code).split('_').map(&:capitalize).join
    name += 'Error' unless name.end_with?('Error')
    Object.const_set(name, Class.new(FintocError)) unless Object.const_defined?(name)
    raise Object.const_get(name), "#{error[:type]}: #{error[:code]}\n#{error[:message]}"
  end
end

# https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating
def verify(body, header, secret)
  pairs = header.split(',').map { |part| part.strip.split('=', 2) }.to_h
  raise SignatureError, 'too old' if pairs.fetch('t').to_i < Time.now.to_i - 300

  expected = OpenSSL::HMAC.hexdigest('sha256', secret, "#{pairs['t']}.#{body}")
  raise SignatureError, 'no match' unless OpenSSL.secure_compare(expected, pairs.fetch('v1'))
end

def refused
  yield
  { raised: nil, says: '' }
rescue FintocError, SignatureError => e
  { raised: e.class.name, says: e.message }
end

def ids(rows)
  rows.map { |row| row[:id] }
end

# Play the person, or let time pass: the emulator's own controls.
def behind_the_scenes(path, **body)
  Net::HTTP.post(URI("#{BRIEF['url']}/__emulator/#{path}"), JSON.generate(body)).value
end

def deliveries(count)
  JSON.parse(Net::HTTP.get(URI("#{BRIEF['receiver']}/deliveries?count=#{count}")), symbolize_names: true)
end

def client
  @client ||= Client.new(BRIEF['key'])
end

def read
  path = "accounts/#{BRIEF['account']}"
  links = { all: ids(client.list('links').each { |row| Shape.link(row) }), by_two: ids(client.list('links', per_page: 2)) }
  link = Shape.link(client.get("links/#{BRIEF['token']}"))
  client.remember(BRIEF['token'])
  account = Shape.account(client.get(path))
  whole = client.list("#{path}/movements", per_page: 300, confirmed_only: false).each { |row| Shape.movement(row) }
  window = { since: DateTime.parse(BRIEF['since']), until: DateTime.parse(BRIEF['until']) }
  row = client.get("#{path}/movements/#{whole.first[:id]}")
  {
    links: links,
    link: { id: link[:id], institution: link[:institution][:id], accounts: ids(link[:accounts]) },
    accounts: ids(client.list('accounts').each { |one| Shape.account(one) }),
    account: { id: account[:id], currency: account[:currency], available: account[:balance][:available] },
    movements: {
      confirmed: ids(client.list("#{path}/movements")),
      all: ids(whole),
      window: ids(client.list("#{path}/movements", **window))
    },
    movement: { id: row[:id], amount: row[:amount], post_date: DateTime.iso8601(row[:post_date]).to_date.iso8601 }
  }
end

def create(name, **more)
  client.send_json(:post, 'refresh_intents', link_token: BRIEF["#{name}_token"], refresh_type: 'only_last', **more)
end

def refresh(endpoint)
  made = %w[fresh refused mfa].to_h { |name| [name, create(name, idempotency_key: "first-#{name}")] }
  fresh, mfa = made.values_at('fresh', 'mfa')
  again = create('fresh', idempotency_key: 'first-fresh')
  running = refused { create('fresh') }
  behind_the_scenes("links/#{BRIEF['mfa_link']}/person", act: 'right_code')
  behind_the_scenes('clock/advance', seconds: 100)
  ended = made.to_h do |name, one|
    [name, client.get("refresh_intents/#{one[:id]}", link_token: BRIEF["#{name}_token"])[:status]]
  end
  {
    intents: {
      created: {
        status: fresh[:status], type: fresh[:type], link: fresh[:refreshed_object_id], mfa: fresh[:requires_mfa]
      },
      same_key_same_intent: again[:id] == fresh[:id],
      asks_for_code: mfa[:requires_mfa][:widget_token].start_with?(mfa[:id]),
      listed: ids(client.list('refresh_intents', link_token: BRIEF['fresh_token'])) == [fresh[:id]],
      ended: ended
    },
    deliveries: judged(deliveries(8), endpoint[:secret]),
    errors: errors.merge(in_progress: running)
  }
end

def judged(taken, secret)
  taken.each { |one| verify(one[:body], one[:signature], secret) }
  last = taken.last
  {
    accepted: taken.map { |one| JSON.parse(one[:body])['type'] }.tally,
    changed: refused { verify("#{last[:body]} ", last[:signature], secret) },
    another_secret: refused { verify(last[:body], last[:signature], 'whsec_another') }
  }
end

def errors
  reading.merge(creating).transform_values { |call| refused(&call) }
end

def reading
  rows = "accounts/#{BRIEF['account']}/movements"
  nobody = { link_token: 'link_none_token_none' }
  {
    invalid_key: -> { Client.new('sk_test_nobody').list('links') },
    unknown_link: -> { client.get('links/link_none_token_none') },
    unknown_token: -> { client.list('accounts', **nobody) },
    no_token: -> { Client.new(BRIEF['key']).list('accounts') },
    unknown_account: -> { client.get('accounts/link_none') },
    bad_date: -> { client.list(rows, since: 'yesterday') },
    bad_page: -> { client.list(rows, page: 0) },
    unknown_intent: -> { client.get('refresh_intents/ri_none') },
    unknown_endpoint: -> { client.get('webhook_endpoints/we_none') }
  }
end

def creating
  hook = { url: BRIEF['receiver'], enabled_events: ['link.none'] }
  {
    bad_type: -> { client.send_json(:post, 'refresh_intents', refresh_type: 'everything') },
    too_soon: -> { create('fresh') },
    another_body: -> { client.send_json(:post, 'refresh_intents', idempotency_key: 'first-fresh') },
    rejected: -> { create('refused') },
    broken: -> { create('broken') },
    no_bank: -> { create('broken') },
    bad_event: -> { client.send_json(:post, 'webhook_endpoints', **hook) }
  }
end

def subscribe
  wanted = { url: "#{BRIEF['receiver']}/hook", enabled_events: [*OUTCOMES, 'link.credentials_changed'] }
  endpoint = Shape.check(client.send_json(:post, 'webhook_endpoints', **wanted, description: 'first'), Shape::ENDPOINT)
  [endpoint, client.send_json(:post, "webhook_endpoints/#{endpoint[:id]}/test", type: OUTCOMES.first)]
end

def endpoints(endpoint, tested)
  path = "webhook_endpoints/#{endpoint[:id]}"
  read = client.get(path)
  updated = client.send_json(:patch, path, description: 'second', enabled_events: OUTCOMES.first(1), disabled: true)
  listed = ids(client.list('webhook_endpoints'))
  client.send_json(:delete, path)
  {
    created: { secret: endpoint[:secret][0, 6], status: endpoint[:status] },
    read: { url: read[:url] == endpoint[:url], secret: read[:secret], description: read[:description] },
    updated: { status: updated[:status], events: updated[:enabled_events], said: updated[:description] },
    listed: listed == [endpoint[:id]],
    tested: tested[:type],
    deleted: refused { client.get(path) }
  }
end

def change_links
  path = "links/#{BRIEF['spare_token']}"
  active = [false, true].map { |wanted| client.send_json(:patch, path, active: wanted)[:active] }
  client.send_json(:delete, "links/#{BRIEF['spare_link']}")
  { active: active, deleted: refused { client.get(path) } }
end

facts = read
endpoint, tested = subscribe
facts.merge!(refresh(endpoint))
facts[:endpoints] = endpoints(endpoint, tested)
facts[:changed_link] = change_links
puts JSON.generate(facts)
